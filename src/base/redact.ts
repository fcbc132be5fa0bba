/** Replaces each secret in a text, so that what is shown or stored never holds one. */
export type Redact = (text: string) => string;

/** Secrets shorter than this would blank out ordinary text; the inventory refuses them. */
export const shortestSecret = 4;

export function redactor(secrets: Iterable<string>): Redact {
  // The longest first: one secret may hold another.
  const known = [...new Set(secrets)].filter((s) => s.length > 0).toSorted((a, b) => b.length - a.length);
  return (text) => known.reduce((shown, secret) => shown.replaceAll(secret, "[secret]"), text);
}
