import { overdueLines } from "../board/overdue.ts";
import type { Known } from "../rotation/records.ts";
import type { Io } from "./io.ts";
import { inventoryWords } from "./words.ts";

/**
 * Holds past their time, beside whatever the command does: nobody else brings such a node to mind.
 *
 * @param but nodes that the command is about anyway
 */
export async function tellOverdue(
  known: Known | undefined,
  { fleet, inventory, but = [] }: { fleet: string; inventory: string | undefined; but?: string[] },
  io: Io,
): Promise<void> {
  const absences = (await known?.absences(fleet)) ?? new Map();
  const others = [...absences.values()].filter(({ node }) => !but.includes(node));
  for (const line of overdueLines(others, new Date(), inventoryWords(inventory))) io.err(`! ${line}`);
}
