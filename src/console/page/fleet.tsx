import { useMemo, useState } from "preact/hooks";
import type { FleetView, NodeView } from "../view.ts";
import type { Wish } from "./dialog.tsx";

interface Props {
  fleet: FleetView;
  canAct: boolean;
  onWish: (wish: Wish) => void;
}

export function FleetTable({ fleet, canAct, onWish }: Props) {
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const shown = useMemo(() => matching(fleet.nodes, filter), [fleet.nodes, filter]);
  const releases = fleet.nodes.some(({ release }) => release !== undefined);
  const nodes = [...chosen].filter((name) => fleet.nodes.some((node) => node.name === name));
  const choose = (name: string, is: boolean): void =>
    setChosen((before) => new Set(is ? [...before, name] : [...before].filter((one) => one !== name)));
  const act = (what: "drain" | "ready" | "rotate"): void => onWish({ do: what, nodes });
  return (
    <section aria-labelledby="nodes">
      <div class="bar">
        <h2 id="nodes">Nodes</h2>
        <input
          type="search"
          aria-label="Show only nodes with"
          placeholder="name, pool, state"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        {canAct && (
          <div class="hands" role="group" aria-label="With the nodes that are ticked">
            <button type="button" disabled={nodes.length === 0} onClick={() => act("drain")}>
              Drain
            </button>
            <button type="button" disabled={nodes.length === 0} onClick={() => act("ready")}>
              Ready
            </button>
            <button type="button" disabled={nodes.length === 0} onClick={() => act("rotate")}>
              Rotate
            </button>
            <button type="button" class="main" onClick={() => onWish({ do: "deploy", nodes })}>
              Deploy…
            </button>
          </div>
        )}
      </div>
      <div class="table" tabIndex={0} role="region" aria-label="All nodes">
        <table>
          <thead>
            <tr>
              {canAct && (
                <th scope="col">
                  <span class="unseen">Chosen</span>
                </th>
              )}
              <th scope="col">Node</th>
              {releases && <th scope="col">Release</th>}
              {fleet.places.map((place) => (
                <th scope="col" key={place}>
                  {place}
                </th>
              ))}
              <th scope="col">Note</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((node) => (
              <NodeRow
                key={node.name}
                node={node}
                places={fleet.places}
                releases={releases}
                chosen={canAct ? chosen.has(node.name) : undefined}
                onChoose={(is) => choose(node.name, is)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function matching(nodes: NodeView[], filter: string): NodeView[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return nodes;
  return nodes.filter(({ name, pool, note, release = "", entries }) => {
    const text =
      `${name} ${pool} ${note} ${release} ${entries.map(([, state]) => state).join(" ")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

interface RowProps {
  node: NodeView;
  places: string[];
  releases: boolean;
  /** Undefined where one may choose nothing. */
  chosen: boolean | undefined;
  onChoose: (is: boolean) => void;
}

const marks: Record<string, string> = {
  "✓": "serves",
  "◌": "is out",
  "✗": "is down",
  "!": "is wrong",
  "?": "is nowhere",
};

/** Made anew only where something of it changed: a large fleet is told of each second. */
function NodeRow({ node, places, releases, chosen, onChoose }: RowProps) {
  const { name, pool, mark, tone, note, release } = node;
  const made = (
    <tr class={tone}>
      {chosen !== undefined && (
        <td>
          <input
            type="checkbox"
            aria-label={`choose ${name}`}
            checked={chosen}
            onChange={(event) => onChoose(event.currentTarget.checked)}
          />
        </td>
      )}
      <th scope="row">
        <span class="mark" role="img" aria-label={marks[mark] ?? mark}>
          {mark}
        </span>{" "}
        {name} <span class="pool">{pool}</span>
      </th>
      {releases && <td data-label="release">{release}</td>}
      {places.map((place, i) => {
        const entry = node.entries.find(([at]) => at === i);
        return (
          <td key={place} data-label={place}>
            {entry ? <EntryText entry={entry} /> : "–"}
          </td>
        );
      })}
      <td class="note">{note}</td>
    </tr>
  );
  return useMemo(() => made, [node, places.join(" "), releases, chosen]);
}

function EntryText({
  entry: [, state, sessions, rate, errors, serves],
}: {
  entry: NodeView["entries"][number];
}) {
  return (
    <>
      <span class={serves ? "state" : "state out"}>{state}</span>{" "}
      <span class="counts">
        {sessions} open, {rate}/s{errors > 0 ? `, ${errors} err` : ""}
      </span>
    </>
  );
}
