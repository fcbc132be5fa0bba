/** The small values that an inventory is made of: how each is written, and what is said where it is not. */
import * as z from "zod";
import { durationPattern, parseDuration } from "../base/duration.ts";
import { badName, environmentPattern, namePattern, shown, variablePattern } from "./names.ts";

/** Node's timers turn a longer wait into none at all (2^31 milliseconds). */
const longestWait = parseDuration("24d") ?? 0;

/** 0 too. */
export const durationOrNone = z
  .string({
    error: ({ input }) => (typeof input === "number" ? `${input} has no unit; write ${input}s` : undefined),
  })
  .regex(durationPattern, {
    error: ({ input }) => `${shown(input)} is not a duration; write 90s, 10m, 1.5h or 250ms`,
  })
  .refine((text) => (parseDuration(text) ?? 0) <= longestWait, { error: "is too long; 24d at most" });

export const duration = durationOrNone.refine((text) => !isZero(text), { error: "must be longer than 0" });

const isZero = (text: string): boolean => parseDuration(text) === 0;

/** Text that ends up in an environment or a script, where a NUL byte can't go. */
export const passable = z
  .string()
  .refine((text) => !text.includes("\0"), { error: "holds a NUL character, which no command can be given" });

export const filled = passable
  .refine((text) => text.trim() !== "", { error: "is empty" })
  .meta({ pattern: "\\S" });

/** Names that go into HAProxy's commands. */
export const name = z.string().regex(namePattern, { error: ({ input }) => badName(input) });
/** Names that are keys are looked at in `checks.ts`, so that what stands under a bad one is still checked. */
export const nameKey = z.string().meta({ pattern: namePattern.source });
export const variableName = z.string().meta({ pattern: variablePattern.source });

export const environmentName = z
  .string()
  .regex(environmentPattern, {
    error: ({ input }) => `${shown(input)} is not the name of an environment variable`,
  })
  .describe("The variable of rota's own environment that holds the value. It is read when it is needed.");

export const names = (one: z.ZodString) =>
  z
    .array(one)
    .min(1)
    .refine((list) => new Set(list).size === list.length, { error: "names one of them twice" })
    .meta({ uniqueItems: true });

export const percentPattern = /^\d+(\.\d+)?%$/;

const percent = z
  .string()
  .regex(percentPattern, {
    error: ({ input }) => `${shown(input)} is neither a count nor a percent; write 2 or 25%`,
  })
  .refine((text) => !(Number.parseFloat(text) > 100), { error: "is more than 100%" });

const filledPercent = percent.refine((text) => !(Number.parseFloat(text) <= 0), {
  error: "0% is nobody; write a count, or a percent above 0",
});

export const share = (least: number) =>
  z.union([z.int().min(least), filledPercent], { error: "write a count or a percent, such as 2 or 25%" });

/** One, or a list of them. */
export const shares = (least: number) =>
  z.union([z.int().min(least), filledPercent, z.array(share(least)).min(1)], {
    error: "write a count or a percent, such as 2 or 25%, or a list such as [1, 25%, 50%]",
  });

const part = filledPercent.refine((text) => Number.parseFloat(text) !== 100, {
  error: "the last step is always the whole weight, and is not written; write a percent below 100",
});

/** Steps to a whole that is not among them. */
export const ramp = z
  .array(part, { error: "write a list of percents, such as [25%, 50%]" })
  .min(1)
  .refine(
    (steps) => steps.every((step, i) => i === 0 || !(percentOf(step) <= percentOf(steps[i - 1] ?? ""))),
    {
      error: "each step must be more than the one before",
    },
  );

const percentOf = (text: string): number => Number.parseFloat(text);

export const port = z.int().min(1).max(65_535);

export const notEmpty = { error: "is empty; name at least one" };
export const filledMap = (map: object): boolean => Object.keys(map).length > 0;
