import type { RunNodeView, RunView, StepView } from "../view.ts";
import { sayMs } from "./model.ts";

const rowHeight = 18;
const nameWidth = 120;
const barWidth = 680;
/** A picture of more is none; the rest is told in the table of the run. */
const mostRows = 200;

/** One bar a node, on one axis of time, so that one sees where it went. */
export function Timeline({ run, now }: { run: RunView; now: number }) {
  const from = Date.parse(run.started);
  const to = Math.max(from + 1_000, run.ended ? Date.parse(run.ended) : now);
  const x = (time: number): number => nameWidth + ((time - from) / (to - from)) * barWidth;
  const nodes = run.nodes.slice(0, mostRows);
  const height = (nodes.length + 1.4) * rowHeight;
  const used = [...new Set(run.nodes.flatMap(({ steps }) => steps.map(({ step }) => step)))];
  return (
    <figure class="timeline">
      <svg viewBox={`0 0 ${nameWidth + barWidth} ${height}`} role="img" aria-label={sayRun(run)}>
        {nodes.map((node, i) => (
          <Row key={node.name} node={node} y={i * rowHeight} x={x} now={run.ended ? to : now} />
        ))}
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <text
            class="tick"
            key={part}
            x={nameWidth + part * barWidth}
            y={height - 4}
            text-anchor={part === 0 ? "start" : part === 1 ? "end" : "middle"}
          >
            {sayMs(part * (to - from))}
          </text>
        ))}
      </svg>
      <figcaption>
        {used.map((step) => (
          <span key={step}>
            <svg class="key" viewBox="0 0 10 10" aria-hidden="true">
              <rect width="10" height="10" class={`step ${step}`} />
            </svg>{" "}
            {step}{" "}
          </span>
        ))}
        {run.nodes.length > mostRows ? `the first ${mostRows} of ${run.nodes.length} nodes` : ""}
      </figcaption>
    </figure>
  );
}

const sayRun = ({ nodes, command }: RunView): string =>
  `${command}: ${nodes.map(({ name, end }) => `${name} ${end ?? "not ended"}`).join(", ")}`.slice(0, 500);

interface RowProps {
  node: RunNodeView;
  y: number;
  x: (time: number) => number;
  now: number;
}

function Row({ node: { name, steps, end }, y, x, now }: RowProps) {
  return (
    <g>
      <text x={0} y={y + 13} class={end === "out" ? "name bad" : "name"}>
        {name.length > 15 ? `${name.slice(0, 14)}…` : name}
      </text>
      {steps.map((step) => (
        <Bar key={step.step} step={step} y={y} x={x} now={now} />
      ))}
    </g>
  );
}

function Bar({
  step: { step, started, ended, ok },
  y,
  x,
  now,
}: {
  step: StepView;
  y: number;
  x: RowProps["x"];
  now: number;
}) {
  const [from, to] = [Date.parse(started), ended ? Date.parse(ended) : now];
  return (
    <rect
      class={`step ${step}${ok === false ? " failed" : ""}`}
      x={x(from)}
      y={y + 3}
      width={Math.max(1, x(to) - x(from))}
      height={rowHeight - 6}
    >
      <title>{`${step} ${sayMs(Math.max(0, to - from))}${ok === false ? ", failed" : ""}`}</title>
    </rect>
  );
}
