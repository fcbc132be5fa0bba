/** Replaces each secret in a text, so that what is shown or stored never holds one. */
export type Redact = (text: string) => string;

/** Secrets shorter than this would blank out ordinary text; the inventory refuses them. */
export const shortestSecret = 4;

export function redactor(secrets: Iterable<string>): Redact {
  // The longest first: one secret may hold another.
  const known = [...new Set(secrets)].filter((s) => s.length > 0).toSorted((a, b) => b.length - a.length);
  return (text) => {
    const shown = known.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
    return shown.endsWith("…") ? withoutBeginning(shown, known) : shown;
  };
}

/** The same for every text in a value of plain data. @param redact told the key that the text stands under, too */
export const redactAll = <T>(value: T, redact: (text: string, key: string) => string): T =>
  JSON.parse(
    JSON.stringify(value, (key, one: unknown) => (typeof one === "string" ? redact(one, key) : one)),
  );

/** A line that was cut may end in the beginning of a secret. */
function withoutBeginning(cut: string, secrets: string[]): string {
  const text = cut.slice(0, -1);
  for (const secret of secrets) {
    for (let length = secret.length - 1; length >= shortestSecret; length -= 1) {
      if (text.endsWith(secret.slice(0, length))) return `${text.slice(0, -length)}[secret]…`;
    }
  }
  return cut;
}
