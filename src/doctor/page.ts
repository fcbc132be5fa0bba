/** What is to be said of one node's own page. Pure but for the one question. */
import { sayDuration } from "../base/duration.ts";
import { fill, placeholdersIn } from "../inventory/placeholders.ts";
import type { Node, Pool } from "../inventory/fleet.ts";
import type { Health } from "../rotation/ports.ts";
import { type Finding, about } from "./findings.ts";

export interface PageFacts {
  node: Node;
  pool: Pool;
  /** As it is asked, with all values that are known. */
  url: string;
  /** Names that have no value, so that it could not be asked. */
  missing: string[];
  /** What is wrong with the answer, if anything. */
  fault: string | undefined;
  /** It answers as it does while it is held out. */
  heldOut: boolean;
  /** Of the body nothing is asked: the value that must occur in it is not known. */
  bodyUnknown: boolean;
  /** Milliseconds. */
  took: number;
  /** A person, or rota, has it out everywhere. */
  isOut: boolean;
}

/** Milliseconds; as in a rotation. */
const longestAnswer = 5_000;

export async function pageFacts(
  { pool, node, isOut }: { pool: Pool; node: Node; isOut: boolean },
  values: Record<string, string>,
  health: Pick<Health, "faultOf">,
): Promise<PageFacts> {
  const { check, statusPage } = pool;
  const url = fill(check.url, values);
  const missing = placeholdersIn(url);
  const facts = {
    node,
    pool,
    url,
    missing,
    isOut,
    fault: undefined,
    heldOut: false,
    bodyUnknown: false,
    took: 0,
  };
  if (missing.length > 0) return facts;
  const filled = check.body === undefined ? undefined : fill(check.body, values);
  const bodyUnknown = filled !== undefined && placeholdersIn(filled).length > 0;
  const body = bodyUnknown ? undefined : filled;
  const ask = (status: number, text: string | undefined): Promise<string | undefined> =>
    health.faultOf(
      { url, status, body: text },
      { within: Math.min(longestAnswer, check.within), signal: new AbortController().signal },
    );
  const began = performance.now();
  const fault = await ask(check.status, body);
  const took = performance.now() - began;
  const heldOut =
    fault !== undefined && statusPage !== undefined && (await ask(check.whileOut, undefined)) === undefined;
  return { ...facts, fault, took, heldOut, bodyUnknown };
}

export function judgePage({
  node,
  pool,
  url,
  missing,
  fault,
  heldOut,
  bodyUnknown,
  took,
  isOut,
}: PageFacts): Finding[] {
  const say = about("pages", node.name);
  const { check, statusPage } = pool;
  if (missing.length > 0)
    return [
      say.unseen(
        "page-variables",
        `its page can't be asked: check.url needs ${missing.join(", ")}, which no deploy has given yet`,
        `a deploy with --set ${missing[0]}=…`,
      ),
    ];
  if (heldOut)
    return [
      say.warn(
        "page-out",
        `its page answers ${check.whileOut}: it is held out`,
        `rota ready ${node.name}, if it is not meant to be; rota status says by whom`,
      ),
    ];
  if (fault !== undefined && isOut)
    return [
      say.warn(
        "page",
        `does not pass its check, and is taken out of rotation: ${fault}`,
        `look at ${url}, and at the app's log`,
      ),
    ];
  if (fault !== undefined)
    return [
      say.bad(
        "page",
        `does not pass its check: ${fault}`,
        `look at ${url}, and at the app's log; or check: in the inventory asks for something else`,
      ),
    ];
  const passes = bodyUnknown
    ? "its page answers; what must be in it is not known before a deploy"
    : "its page passes the check";
  const found = [say.ok("page", statusPage ? `${passes}, and is not held out` : passes)];
  if (took * check.times > check.within / 2)
    found.push(
      say.warn(
        "page-slow",
        `its page took about ${sayDuration(Math.ceil(took / 100) * 100)}, and ${check.times} in a row must fit into check.within (${sayDuration(check.within)})`,
        "a longer check.within, or a cheaper page",
      ),
    );
  return found;
}
