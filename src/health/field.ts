/** The value at a path ("app.started") of a JSON text, as text; undefined where there is none, or no JSON. */
export function fieldIn(json: string, path: string): string | undefined {
  const value = path.split(".").reduce<unknown>(within, parsed(json));
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function within(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const entries: [string, unknown][] = Object.entries(value);
  return entries.find(([name]) => name === key)?.[1];
}
