import { closeSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import { notRight, problemAt } from "./problems.ts";

const another = "the same with -i FILE, the path of an inventory";

/** Larger than any inventory; what is larger was named by mistake. */
const mostBytes = 1_048_576;

/** @throws RotaError INVENTORY for a file that can't be read, is too large, or is not UTF-8. */
export function readText(path: string, folder: string, next = another): string {
  const bytes = readBytes(path, folder, next);
  if (bytes.length > mostBytes) throw unreadable(path, "is larger than 1 MB, so it is no inventory", next);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw notRight(
      path,
      [problemAt(firstBadByte(bytes), [], "a byte that is not UTF-8; save the file as UTF-8")],
      next,
    );
  }
}

function readBytes(path: string, folder: string, next: string): Buffer {
  try {
    const file = openSync(resolve(folder, path), "r");
    try {
      return readUpTo(file, mostBytes + 1);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw unreadable(path, whyOf(cause), next, cause);
  }
}

/** Stops early, whatever the file says about its size: it may be a pipe. */
function readUpTo(file: number, most: number): Buffer {
  const bytes = Buffer.alloc(most);
  let length = 0;
  for (;;) {
    const read = readSync(file, bytes, length, most - length, null);
    length += read;
    if (read === 0 || length === most) return bytes.subarray(0, length);
  }
}

function firstBadByte(bytes: Buffer): { line: number; column: number } {
  const before = goodPart(bytes);
  const lines = before.split("\n");
  return { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}

/** The text before the first byte that is none. The mark for it may stand in the file as a character, too. */
function goodPart(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  let at = 0;
  for (const part of text.split("\ufffd")) {
    at += Buffer.byteLength(part);
    if (bytes.subarray(at, at + 3).toString("hex") !== "efbfbd") return bytes.toString("utf8", 0, at);
    at += 3;
  }
  return text;
}

function whyOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return said[code] ?? `can't be read: ${messageOf(cause)}`;
}

const said: Record<string, string> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "can't be read: you have no right to",
  EISDIR: "is a folder",
};

const unreadable = (path: string, why: string, next: string, cause?: unknown): RotaError =>
  new RotaError("INVENTORY", {
    problem: `the inventory ${printable(path)} ${why}; nothing was touched`,
    next,
    cause,
  });
