/** Where the nodes of a large fleet are: each has a loopback address of its own. */

const inOne = 250;

/** @param prefix "127.20" @param number from 1 */
export const hostOf = (prefix: string, number: number): string =>
  `${prefix}.${Math.floor((number - 1) / inOne)}.${1 + ((number - 1) % inOne)}`;

/** "web17" */
export const numberIn = (name: string): number => Number(name.slice("web".length));
