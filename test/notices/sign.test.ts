/** Signatures, as a receiver finds them: by the lines of docs/notices.md, and by the example of the specification. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keyOf, webhookHeaders } from "../../src/notices/sign.ts";

const docs = readFileSync(join(import.meta.dirname, "../../docs/notices.md"), "utf8");
const [, snippet = ""] = /```js\n([\s\S]*?)```/.exec(docs) ?? [];

type IsFromRota = (headers: Record<string, string>, body: Buffer, secret: string) => boolean;

const receiver = async (): Promise<IsFromRota> => {
  const { isFromRota }: { isFromRota: IsFromRota } = await import(
    `data:text/javascript,${encodeURIComponent(snippet)}`
  );
  return isFromRota;
};

const now = (): number => Math.floor(Date.now() / 1_000);
const whsec = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

test.each([["a text as it is"], [whsec]])(
  "a receiver knows what was signed with %s, and nothing else",
  async (secret) => {
    const isFromRota = await receiver();
    const body = Buffer.from('{"text":"ä"}');
    const headers = webhookHeaders("msg_1", now(), body, keyOf(secret));
    expect(isFromRota(headers, body, secret)).toBe(true);
    expect(isFromRota(headers, Buffer.from('{"text":"a"}'), secret)).toBe(false);
    expect(isFromRota({ ...headers, "webhook-id": "msg_2" }, body, secret)).toBe(false);
    expect(isFromRota(headers, body, "another")).toBe(false);
    expect(isFromRota(webhookHeaders("msg_1", now(), body, undefined), body, secret)).toBe(false);
    expect(isFromRota(webhookHeaders("msg_1", now() - 600, body, keyOf(secret)), body, secret)).toBe(false);
  },
);

test("the example of Standard Webhooks", () => {
  const key = keyOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const body = Buffer.from('{"test": 2432232314}');
  expect(webhookHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key)).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("whsec_ without base64 after it is no key", () => {
  expect(keyOf("whsec_")).toBeUndefined();
  expect(keyOf("whsec_not base64!")).toBeUndefined();
});
