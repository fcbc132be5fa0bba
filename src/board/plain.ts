/** An event as one line, for pipes and CI logs; undefined for what only a board shows. Pure. */
import { sayDuration } from "../base/duration.ts";
import type { Event } from "../events/events.ts";
import { leaseLost } from "../events/state.ts";
import { sayWorker } from "./workers.ts";
import { count } from "./width.ts";

export function plainLine(event: Event): string | undefined {
  const text = textOf(event);
  return text === undefined ? undefined : `${event.at.slice(11, 19)}Z ${text}`;
}

function textOf(event: Event): string | undefined {
  switch (event.type) {
    case "run started":
      return `run ${event.run}: ${event.command} ${event.fleet}, ${count(event.nodes.length, "node")}: ${event.nodes.join(" ")}`;
    case "batch started":
      return `${event.pool}: batch ${event.batch} of ${event.of}${event.canary ? ", canary" : ""}: ${event.nodes.join(" ")}`;
    case "step started":
      return undefined;
    case "waiting":
      return `${event.node} ${event.step}: ${event.saw}`;
    case "output":
      return `${event.node} ${event.step} | ${event.text}`;
    case "worker":
      return `${event.node} ${event.step} | ${sayWorker(event)}`;
    case "step ended":
      return `${event.node} ${event.step} ${event.ok ? "done" : "FAILED"} in ${sayDuration(event.ms)}${event.why ? `: ${event.why}` : ""}`;
    case "node ended":
      return `${event.node} ${event.end}${event.outMs > 0 ? `, ${sayDuration(event.outMs)} out of rotation` : ""}${event.why ? `: ${event.why}` : ""}`;
    case "hook started":
      return undefined;
    case "hook output":
      return `${sayHook(event)} | ${event.text}`;
    case "hook ended":
      return `${sayHook(event)} ${event.ok ? "done" : "FAILED"} in ${sayDuration(event.ms)}${event.why ? `: ${event.why}` : ""}`;
    case "notice":
      return `! ${event.text}`;
    case "lease lost":
      return `! ${leaseLost}`;
    case "stopping":
      return `stopping ${event.how}`;
    case "run ended":
      return `run ${event.run} ended: ${event.end} in ${sayDuration(event.ms)}`;
  }
}

const sayHook = ({ hook, node }: { hook: string; node?: string | undefined }): string =>
  node === undefined ? hook : `${node} ${hook}`;
