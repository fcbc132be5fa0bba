/** What the tables hold as JSON text. The file may have been written by another version, or by hand: it is judged. */
import * as z from "zod";
import {
  type CommandName,
  type DeedName,
  type HookName,
  type NodeEnd,
  type RunEnd,
  type StepName,
  commandNames,
  deedNames,
  hookNames,
  nodeEnds,
  runEnds,
  stepNames,
} from "../events/events.ts";
import type { Found } from "../rotation/records.ts";

const found = z.array(
  z.object({
    balancer: z.string(),
    backend: z.string(),
    server: z.string(),
    admin: z.enum(["ready", "drain", "maint"]),
    weight: z.number(),
    agent: z.enum(["up", "down"]).optional(),
    stepped: z.literal(true).optional(),
  }),
);
const nodes = z.array(z.string());
const args = z.record(z.string(), z.unknown());
const set = z.record(z.string(), z.string());
const sets = z.record(z.string(), set);

/** @throws Error for text that is not what rota writes */
export const readFound = (text: string): Found[] => found.parse(JSON.parse(text));
export const readArgs = (text: string): Record<string, unknown> => args.parse(JSON.parse(text));
export const readNodes = (text: string): string[] => nodes.parse(JSON.parse(text));
export const readSet = (text: string): Record<string, string> => set.parse(JSON.parse(text));
export const readSets = (text: string): Record<string, Record<string, string>> =>
  sets.parse(JSON.parse(text));

export const readSeen = (text: string): Record<string, string> => set.parse(JSON.parse(text));

/** One of the words that this rota knows. @throws Error for another */
const wordOf = <T extends string>(words: readonly T[], text: string): T => z.enum(words).parse(text);

export const readCommand = (text: string): CommandName => wordOf(commandNames, text);
export const readDeed = (text: string): DeedName => wordOf(deedNames, text);
export const readStep = (text: string): StepName => wordOf(stepNames, text);
export const readPrinter = (text: string): StepName | HookName => wordOf([...stepNames, ...hookNames], text);
export const readNodeEnd = (text: string): NodeEnd => wordOf(nodeEnds, text);
export const readRunEnd = (text: string): RunEnd => wordOf(runEnds, text);
export const readRole = (text: string): "viewer" | "operator" => wordOf(["viewer", "operator"], text);
