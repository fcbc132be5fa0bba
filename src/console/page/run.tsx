import { useEffect, useState } from "preact/hooks";
import type { RunNodeView, RunView } from "../view.ts";
import type { Wish } from "./dialog.tsx";
import { sayMs, sayTime } from "./model.ts";
import { Timeline } from "./timeline.tsx";

/** Nodes that are told of in words. */
const mostTold = 20;

interface Props {
  run: RunView;
  canAct: boolean;
  onWish: (wish: Wish) => void;
}

/** One run: what it is, how far it is, each node's steps, and what may be done with it. */
export function RunPanel({ run, canAct, onWish }: Props) {
  const lives = run.state === "under way";
  const now = useNow(lives);
  const done = run.nodes.filter(({ end }) => end !== undefined).length;
  const interesting = run.nodes.filter(isOfInterest);
  const set = Object.entries(run.set).map(([key, value]) => `${key}=${value}`);
  const took = run.ended
    ? sayMs(Date.parse(run.ended) - Date.parse(run.started))
    : lives
      ? sayMs(now - Date.parse(run.started))
      : `begun ${sayTime(run.started)}`;
  const state = run.outcome ?? (lives ? (run.paused ? `paused by ${run.paused}` : "under way") : "cut off");
  return (
    <section class="run" aria-labelledby={`run-${run.run}`}>
      <div class="bar">
        <h2 id={`run-${run.run}`}>
          {[run.command, ...set].join(" ")} <span class="quiet">run {run.run}</span>
        </h2>
        <p>
          <b class={toneOf(run)}>{state}</b>, {done} of {run.nodes.length}, {took}, by {run.by}
          {run.reason ? `: ${run.reason}` : ""}
        </p>
        {canAct && (
          <div class="hands" role="group" aria-label="With this run">
            {lives && !run.paused && (
              <button type="button" onClick={() => onWish({ do: "pause" })}>
                Pause after this node
              </button>
            )}
            {((lives && run.paused) || run.state === "open") && (
              <button type="button" onClick={() => onWish({ do: "resume", run })}>
                Go on
              </button>
            )}
            {run.state === "open" && (
              <button type="button" class="danger" onClick={() => onWish({ do: "abort", run })}>
                Abort
              </button>
            )}
          </div>
        )}
      </div>
      <progress max={run.nodes.length} value={done} aria-label="nodes that are done" />
      <Timeline run={run} now={lives ? now : lastMoment(run)} />
      <ul class="steps">
        {interesting.slice(0, mostTold).map((node) => (
          <NodeNow key={node.name} node={node} now={now} />
        ))}
        {interesting.length > mostTold && <li>and {interesting.length - mostTold} more</li>}
      </ul>
      {run.message && <pre class="message">{run.message}</pre>}
    </section>
  );
}

function toneOf({ state, outcome }: RunView): string {
  if (outcome === "done") return "good";
  return state === "under way" || state === "closed" ? "busy" : "bad";
}

/** Where nobody does it any more, nothing of it runs on. */
function lastMoment({ started, ended, nodes }: RunView): number {
  const times = nodes.flatMap(({ steps }) =>
    steps.flatMap((step) => [step.started, step.ended ?? step.started]),
  );
  return Math.max(...[started, ended ?? started, ...times].map((time) => Date.parse(time)));
}

const isOfInterest = ({ steps, end, why }: RunNodeView): boolean =>
  why !== undefined || (end === undefined && steps.some(({ ended }) => ended === undefined));

function NodeNow({ node: { name, steps, saw, end, why }, now }: { node: RunNodeView; now: number }) {
  const step = steps.findLast(({ ended }) => ended === undefined);
  return (
    <li class={end === "out" || why ? "bad" : "busy"}>
      <b>{name}</b> {end ?? step?.step}
      {step && !end ? ` ${sayMs(Math.max(0, now - Date.parse(step.started)))}` : ""}
      {why ? `: ${why}` : saw ? `: ${saw}` : ""}
    </li>
  );
}

/** Running times are seen to run. */
function useNow(runs: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!runs) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [runs]);
  return now;
}
