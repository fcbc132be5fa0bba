import { notYet, yes } from "../../src/base/poll.ts";
import type { LabBalancer } from "./balancer.ts";
import { waitFor } from "./wait.ts";

interface Server {
  /** "app/web1" */
  name: string;
  /** In HAProxy's words. */
  status: string;
}

/** Waits until the balancer uses every server. */
export const untilAllUp = (balancer: LabBalancer): Promise<void> =>
  untilNone(balancer, "to use every server", ({ status }) => status !== "UP" && status !== "no check");

/** A worker begins with servers that are "UP 1/2": in use, before the first of their checks. */
export const untilChecked = (balancer: LabBalancer): Promise<void> =>
  untilNone(balancer, "to have checked every server", ({ status }) => status.startsWith("UP "));

const untilNone = (balancer: LabBalancer, what: string, open: (server: Server) => boolean): Promise<void> =>
  waitFor(`${balancer.name} ${what}`, 60_000, async () => {
    const left = (await serversOf(balancer)).filter(open);
    const saw = left.map(({ name, status }) => `${name} is ${status}`).join(", ");
    return left.length === 0 ? yes(undefined) : notYet(saw);
  });

async function serversOf(balancer: LabBalancer): Promise<Server[]> {
  const [header = "", ...rows] = (await balancer.ask("show stat -1 4 -1")).trim().split("\n");
  const column = header.split(",").indexOf("status");
  return rows
    .map((row) => row.split(","))
    .map((fields) => ({ name: `${fields[0]}/${fields[1]}`, status: fields[column] ?? "" }));
}
