/** The values that Ansible's variables have. */

export type Value = null | boolean | number | string | Value[] | Map<string, Value> | Tagged;

/** Encrypted, or a text that is never a template. */
export class Tagged {
  readonly tag: "vault" | "unsafe";
  readonly text: string;
  constructor(tag: "vault" | "unsafe", text: string) {
    this.tag = tag;
    this.text = text;
  }
}

/** Where a variable was set last. */
export interface Place {
  file: string;
  line: number;
}

export interface Variable {
  value: Value;
  place: Place;
}

export type Variables = Map<string, Variable>;

/** How JSON writes a key that is no text. */
export const keyText = (key: Value): string =>
  typeof key === "string" ? key : key instanceof Tagged ? key.text : JSON.stringify(key);
