/** Whether a restart of uWSGI has what its way needs. */
import type { Draft } from "./draft.ts";
import type { Finding, Path } from "./problems.ts";

export function checkUwsgi(draft: Draft, path: Path): Finding[] {
  if (draft.at([...path, "via"]) !== "uwsgi") return [];
  const at = (key: string): unknown => draft.at([...path, key]);
  const told = (key: string, on: Finding["on"], text: string): Finding => ({
    path: [...path, key],
    on,
    text,
  });
  const [how, fifo, touch] = [at("how") ?? "workers", at("fifo"), at("touch")];
  const findings: Finding[] = [];
  if (how === "chain" && fifo === undefined && touch === undefined)
    findings.push(told("how", "value", "needs fifo, uWSGI's master-fifo, or touch, its touch-chain-reload"));
  if (how === "reload" && fifo === undefined)
    findings.push(told("how", "value", "needs fifo, uWSGI's master-fifo"));
  if (touch !== undefined && how !== "chain") findings.push(told("touch", "key", "is for how: chain"));
  if (at("spare") !== true) return findings;
  if (how !== "workers") findings.push(told("spare", "key", "is for how: workers"));
  else if (fifo === undefined)
    findings.push(told("spare", "key", "needs fifo, uWSGI's master-fifo: by it the spare worker is started"));
  return findings;
}
