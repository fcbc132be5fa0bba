import type { RunNodeView, RunView, StepView } from "../view.ts";
import { sayMs } from "./model.ts";

/** A picture of more is none; the rest is told in the table of the run. */
const mostRows = 200;
const ticks = [0, 0.25, 0.5, 0.75, 1];

/** Where a moment stands on the axis, in percent. */
type Axis = (time: number) => number;

/** One bar a node, on one axis of time, so that one sees where it went. Sizes are those of text, whatever the width. */
export function Timeline({ run, now }: { run: RunView; now: number }) {
  const from = Date.parse(run.started);
  const to = Math.max(from + 1_000, run.ended ? Date.parse(run.ended) : now);
  const at: Axis = (time) => Math.min(100, Math.max(0, ((time - from) / (to - from)) * 100));
  const nodes = run.nodes.slice(0, mostRows);
  const used = [...new Set(run.nodes.flatMap(({ steps }) => steps.map(({ step }) => step)))];
  return (
    <figure class="timeline">
      <div class="rows" role="img" aria-label={sayRun(run)} tabIndex={nodes.length > 10 ? 0 : undefined}>
        {nodes.map((node) => (
          <Row key={node.name} node={node} at={at} now={to} />
        ))}
        <span />
        <div class="ticks">
          {ticks.map((part) => (
            <span key={part}>{sayMs(part * (to - from))}</span>
          ))}
        </div>
      </div>
      <figcaption>
        {used.map((step) => (
          <span key={step}>
            <i class={`step ${step}`} /> {step}{" "}
          </span>
        ))}
        {run.nodes.length > mostRows ? `the first ${mostRows} of ${run.nodes.length} nodes` : ""}
      </figcaption>
    </figure>
  );
}

const sayRun = ({ nodes, command }: RunView): string =>
  `${command}: ${nodes.map(({ name, end }) => `${name} ${end ?? "not ended"}`).join(", ")}`.slice(0, 500);

function Row({ node: { name, steps, end }, at, now }: { node: RunNodeView; at: Axis; now: number }) {
  return (
    <>
      <span class={end === "out" ? "name bad" : "name"} title={name}>
        {name}
      </span>
      <div class="bars">
        {steps.map((step, i) => (
          <Bar key={i} step={step} at={at} now={now} />
        ))}
      </div>
    </>
  );
}

/** Its place is set by script: the policy of the page allows no style of its own in the markup. */
function Bar({ step: { step, started, ended, ok }, at, now }: { step: StepView; at: Axis; now: number }) {
  const [from, to] = [Date.parse(started), ended ? Date.parse(ended) : now];
  return (
    <i
      class={`step ${step}${ok === false ? " failed" : ""}`}
      style={{ left: `${at(from)}%`, width: `${at(to) - at(from)}%` }}
      title={`${step} ${sayMs(Math.max(0, to - from))}${ok === false ? ", failed" : ""}`}
    />
  );
}
