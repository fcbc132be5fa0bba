/** What a person may do from the page, as the command line that does it. Pure: nothing of it is pasted into a shell. */
import * as z from "zod";
import { RotaError } from "../base/errors.ts";

/** A name, a glob or @pool; never an option. */
const node = z.string().regex(/^[@A-Za-z0-9_*?[\]][\w.:*?[\]-]{0,255}$/);
const nodes = z.array(node).max(5_000);
const some = nodes.min(1);
const run = z.string().regex(/^[0-9a-f]{1,12}$/);
/** On one line: no process can be given more. */
// oxlint-disable-next-line no-control-regex
const line = z.string().regex(/^[^\u0000-\u001f\u007f]*$/);
const reason = line.trim().max(500);
const why = reason.optional();
const word = z.string().regex(/^[\w.,%:-]{1,64}$/);
const variable = z.string().regex(/^[A-Za-z_]\w{0,63}$/);

const values = z.record(variable, line.max(1_000));

const act = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("drain"), nodes: some, reason: reason.min(1), for: word.optional() }),
  z.strictObject({ do: z.literal("ready"), nodes: some, set: values.optional(), reason: why }),
  z.strictObject({ do: z.literal("rotate"), nodes: some, set: values.optional(), reason: why }),
  z.strictObject({
    do: z.literal("deploy"),
    nodes,
    set: values,
    batch: word.optional(),
    reason: why,
  }),
  z.strictObject({ do: z.literal("pause"), reason: why }),
  z.strictObject({
    do: z.literal("resume"),
    run,
    retry: z.boolean().optional(),
    skip: nodes.optional(),
    reason: why,
  }),
  z.strictObject({ do: z.literal("abort"), run, reason: why }),
]);

export type Act = z.infer<typeof act>;

/** @throws RotaError USAGE for what is none */
export function readAct(body: unknown): Act {
  const read = act.safeParse(body);
  if (read.success) return read.data;
  const where = read.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new RotaError("USAGE", { problem: where.join("; "), left: "nothing was touched" });
}

/** As words of `rota`; each text is the value of an option, so that it can't be one. */
export function wordsOf(one: Act, inventory: string): string[] {
  const common = [`--inventory=${inventory}`, "--json", ...(one.reason ? [`--reason=${one.reason}`] : [])];
  switch (one.do) {
    case "drain":
      return ["drain", ...common, "--yes", ...(one.for ? [`--for=${one.for}`] : []), "--", ...one.nodes];
    case "ready":
    case "rotate":
      return [one.do, ...common, "--yes", ...setWords(one.set), "--", ...one.nodes];
    case "deploy":
      return [
        "deploy",
        ...common,
        "--yes",
        ...setWords(one.set),
        ...(one.batch ? [`--batch=${one.batch}`] : []),
        "--",
        ...one.nodes,
      ];
    case "pause":
      return ["pause", ...common];
    case "resume":
      return [
        "resume",
        ...common,
        "--yes",
        ...(one.retry ? ["--retry"] : []),
        ...(one.skip ?? []).map((name) => `--skip=${name}`),
        "--",
        one.run,
      ];
    case "abort":
      return ["abort", ...common, "--yes", "--", one.run];
  }
}

const setWords = (set: Record<string, string> = {}): string[] =>
  Object.entries(set).map(([key, value]) => `--set=${key}=${value}`);
