/** What the tables hold as JSON text. The file may have been written by another version, or by hand: it is judged. */
import * as z from "zod";
import type { Found } from "../rotation/ports.ts";

const found = z.array(
  z.object({
    balancer: z.string(),
    backend: z.string(),
    server: z.string(),
    admin: z.enum(["ready", "drain", "maint"]),
    weight: z.number(),
  }),
);
const set = z.record(z.string(), z.string());

/** @throws Error for text that is not what rota writes */
export const readFound = (text: string): Found[] => found.parse(JSON.parse(text));
export const readSet = (text: string): Record<string, string> => set.parse(JSON.parse(text));
