/** `{NAME}` in check.url and check.body stands for a value. `{"a": 1}` and `{}` are just text. */
const placeholder = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** What every node knows about itself. */
export const ownPlaceholders = ["host", "node", "server"] as const;

/** The names in a template, each once, in order. */
export const placeholdersIn = (template: string): string[] => [
  ...new Set([...template.matchAll(placeholder)].map(([, name = ""]) => name)),
];

/** Each placeholder replaced once; a value that looks like a placeholder stays text. What has no value stays. */
export const fill = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replaceAll(placeholder, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
