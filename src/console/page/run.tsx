import { useEffect, useState } from "preact/hooks";
import type { RunNodeView, RunView } from "../view.ts";
import type { Wish } from "./dialog.tsx";
import { sayMs } from "./model.ts";
import { Timeline } from "./timeline.tsx";

interface Props {
  run: RunView;
  /** Under way. */
  live?: boolean;
  canAct: boolean;
  onWish: (wish: Wish) => void;
  lease?: string | undefined;
}

/** One run: what it is, how far it is, each node's steps, and what may be done with it. */
export function RunPanel({ run, live, canAct, onWish, lease }: Props) {
  const now = useNow(live === true);
  const done = run.nodes.filter(({ end }) => end !== undefined).length;
  const set = Object.entries(run.set).map(([key, value]) => `${key}=${value}`);
  const took = (run.ended ? Date.parse(run.ended) : now) - Date.parse(run.started);
  const isOpen = run.outcome === undefined || run.outcome === "failed" || run.outcome === "interrupted";
  // The lease is what tells a run that lives from one that was cut off.
  const lives = live === true && lease !== undefined;
  return (
    <section class="run" aria-labelledby={`run-${run.run}`}>
      <div class="bar">
        <h2 id={`run-${run.run}`}>
          {[run.command, ...set].join(" ")} <span class="quiet">run {run.run}</span>
        </h2>
        <p>
          {run.outcome ?? (lives ? (run.paused ? `paused by ${run.paused}` : "under way") : "cut off")},{" "}
          {done} of {run.nodes.length}, {sayMs(took)}, by {run.by}
          {run.reason ? `: ${run.reason}` : ""}
        </p>
        {canAct && (
          <div class="hands" role="group" aria-label="With this run">
            {lives && !run.paused && (
              <button type="button" onClick={() => onWish({ do: "pause" })}>
                Pause after this node
              </button>
            )}
            {((lives && run.paused) || (!lives && isOpen)) && (
              <button type="button" onClick={() => onWish({ do: "resume", run })}>
                Go on
              </button>
            )}
            {!lives && isOpen && (
              <button type="button" class="danger" onClick={() => onWish({ do: "abort", run })}>
                Abort
              </button>
            )}
          </div>
        )}
      </div>
      <progress max={run.nodes.length} value={done} aria-label="nodes that are done" />
      <Timeline run={run} now={now} />
      <ul class="steps">
        {run.nodes.filter(isOfInterest).map((node) => (
          <NodeNow key={node.name} node={node} now={now} />
        ))}
      </ul>
      {run.message && <pre class="message">{run.message}</pre>}
    </section>
  );
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
