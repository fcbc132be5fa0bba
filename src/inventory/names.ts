/** Which names may stand where, and what is said about one that may not. */
import { printable } from "../base/quote.ts";

/** Nodes, servers, backends, balancers: these go into HAProxy's commands, so nothing that could end one. */
export const namePattern = /^[A-Za-z0-9._:-]{1,256}$/;

export const environmentPattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * ROTA_ is what rota itself tells a command; host, node and server are what each node knows about itself; under
 * __proto__ JavaScript keeps no value.
 */
export const variablePattern = /^(?!ROTA_|(?:host|node|server|__proto__)$)[A-Za-z_][A-Za-z0-9_]*$/;

export const badName = (input: unknown): string =>
  `${shown(input)} is not a name; letters, digits and . _ : - are allowed`;

export function badVariable(input: unknown): string {
  const text = String(input);
  if (text.startsWith("ROTA_")) {
    return `${shown(text)} begins with ROTA_, which is for rota's own; choose another name`;
  }
  if (text === "__proto__") return `${shown(text)} can't be a variable; choose another name`;
  if (environmentPattern.test(text)) return `${shown(text)} stands for the node's own; choose another name`;
  return `${shown(text)} is not a variable's name; letters, digits and _ are allowed, and no digit first`;
}

/** A value of the file in a message: in quotes, on one line, not too long. */
export function shown(input: unknown): string {
  const text = printable(String(input));
  return typeof input === "string" ? `"${cut(text)}"` : cut(text);
}

/** Long text in a message. */
export const cut = (text: string, most = 80): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** "a, b or c" */
export const either = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
