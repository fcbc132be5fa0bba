import { useEffect, useState } from "preact/hooks";
import type { RunLine, RunView } from "../view.ts";
import { ask } from "./ask.ts";
import type { Wish } from "./dialog.tsx";
import { sayMs, sayTime } from "./model.ts";
import { RunPanel } from "./run.tsx";

interface Props {
  run: string | undefined;
  /** What is seen live: when it begins or ends, the list is another. */
  now: RunView | undefined;
  canAct: boolean;
  onOpen: (run: string) => void;
  onWish: (wish: Wish) => void;
}

export function History({ run, now, canAct, onOpen, onWish }: Props) {
  const [runs, setRuns] = useState<RunLine[]>([]);
  useEffect(() => void ask<RunLine[]>("/api/runs").then(setRuns, () => undefined), [now?.run, now?.state]);
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {run !== undefined && <OneRun run={run} now={now} canAct={canAct} onWish={onWish} />}
      <div class="table" tabIndex={0} role="region" aria-label="All runs">
        <table>
          <thead>
            <tr>
              {["Run", "When", "Took", "What", "Nodes", "Ended", "By"].map((head) => (
                <th scope="col" key={head}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {runs.map((one) => (
              <tr key={one.run} class={one.outcome === "failed" ? "bad" : "plain"}>
                <th scope="row">
                  <a
                    href={`#history/${one.run}`}
                    onClick={(event) => {
                      event.preventDefault();
                      onOpen(one.run);
                    }}
                  >
                    {one.run}
                  </a>
                </th>
                <td data-label="when">{sayTime(one.started)}</td>
                <td data-label="took">
                  {one.ended ? sayMs(Date.parse(one.ended) - Date.parse(one.started)) : ""}
                </td>
                <td data-label="what">
                  {[one.command, ...Object.entries(one.set).map(([key, value]) => `${key}=${value}`)].join(
                    " ",
                  )}
                </td>
                <td data-label="nodes">{one.nodes}</td>
                <td data-label="ended">{one.outcome ?? "unfinished"}</td>
                <td data-label="by">
                  {one.by}
                  {one.reason ? `: ${one.reason}` : ""}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function OneRun({ run, now, canAct, onWish }: Omit<Props, "onOpen" | "run"> & { run: string }) {
  const [seen, setSeen] = useState<RunView | undefined>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    setProblem("");
    ask<RunView>(`/api/runs/${encodeURIComponent(run)}`).then(setSeen, (thrown: Error) =>
      setProblem(thrown.message),
    );
  }, [run, now?.run, now?.state]);
  if (problem) return <p role="alert">{problem}</p>;
  const shown = now?.run === run ? now : seen?.run === run ? seen : undefined;
  if (!shown) return null;
  return (
    <>
      <RunPanel run={shown} canAct={canAct} onWish={onWish} />
      <Printed run={shown} />
    </>
  );
}

/** What the commands of one node printed, once it is asked for. */
function Printed({ run }: { run: RunView }) {
  const [node, setNode] = useState("");
  const [printed, setPrinted] = useState<{ step: string; text: string }[]>([]);
  useEffect(() => {
    setPrinted([]);
    if (node === "") return;
    ask<{ step: string; text: string }[]>(
      `/api/runs/${encodeURIComponent(run.run)}/${encodeURIComponent(node)}`,
    ).then(setPrinted, () => undefined);
  }, [run.run, node]);
  return (
    <div class="printed">
      <label>
        What was printed on{" "}
        <select value={node} onChange={(event) => setNode(event.currentTarget.value)}>
          <option value="">…</option>
          {run.nodes.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {printed.map(({ step, text }, i) => (
        <div key={i}>
          <h3>{step}</h3>
          <pre tabIndex={0}>{text}</pre>
        </div>
      ))}
    </div>
  );
}
