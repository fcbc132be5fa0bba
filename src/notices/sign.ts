/**
 * The headers of Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks): the id stays the same
 * over all tries of a notice, the timestamp is the try's own. Pure.
 */
import { createHmac } from "node:crypto";

/** @param seconds of the Unix epoch */
export function webhookHeaders(
  id: string,
  seconds: number,
  body: Buffer,
  key: Buffer | undefined,
): Record<string, string> {
  const headers = { "webhook-id": id, "webhook-timestamp": String(seconds) };
  if (!key) return headers;
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64");
  return { ...headers, "webhook-signature": `v1,${signature}` };
}

/** What a secret stands for: after `whsec_` it is base64, else it is taken as it is. Undefined where it is neither. */
export function keyOf(secret: string): Buffer | undefined {
  if (!secret.startsWith("whsec_")) return Buffer.from(secret);
  const text = secret.slice("whsec_".length);
  const key = Buffer.from(text, "base64");
  return key.length > 0 && key.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "")
    ? key
    : undefined;
}
