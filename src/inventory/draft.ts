import type { Positions } from "./positions.ts";
import type { Path } from "./problems.ts";

/** A file's content before its shape is known to be right: anything may be missing or of the wrong sort. */
export interface Draft {
  at(path: Path): unknown;
  /** What a map holds, in the order of the file; nothing where there is no map. */
  entries(path: Path): Entry[];
  /** The texts of a list; undefined where there is no list. */
  texts(path: Path): string[] | undefined;
  lineOf(key: Path): number;
}

export interface Entry {
  key: string;
  value: unknown;
  path: Path;
}

export function draftOf(content: unknown, positions: Positions): Draft {
  const at = (path: Path): unknown => path.reduce<unknown>(inside, content);
  return {
    at,
    entries(path) {
      const map = at(path);
      return positions.keysAt(path).map((key) => ({ key, value: inside(map, key), path: [...path, key] }));
    },
    texts(path) {
      const list = at(path);
      return Array.isArray(list)
        ? list.filter((item): item is string => typeof item === "string")
        : undefined;
    },
    lineOf: (path) => positions.placeOf({ path, on: "key" }).line,
  };
}

const inside = (value: unknown, key: string | number): unknown =>
  typeof value === "object" && value !== null
    ? Object.getOwnPropertyDescriptor(value, key)?.value
    : undefined;
