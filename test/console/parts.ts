/** A console's parts, of which a test changes what it is about. */
import type { ConsoleParts } from "../../src/console/app.ts";
import type { Message, Picture } from "../../src/console/changes.ts";
import type { Frame } from "../../src/console/feed.ts";
import { hashOf, peopleIn } from "../../src/console/people.ts";
import type { FleetView, NodeView, RunView } from "../../src/console/view.ts";

export const tokens = { ann: "rota_ann", vic: "rota_vic" } as const;

export interface FakeParts extends ConsoleParts {
  /** The words of each command that was begun, and by whom. */
  started: { words: string[]; by: string; what: string }[];
  /** Of the hashes that the journal has. */
  people: ConsoleParts["people"];
  known: Map<string, { name: string; role: "viewer" | "operator"; created: Date }>;
}

export function fakeParts(over: Partial<ConsoleParts> = {}): FakeParts {
  const started: FakeParts["started"] = [];
  const created = new Date(0);
  const known: FakeParts["known"] = new Map([
    [hashOf(tokens.ann), { name: "ann", role: "operator", created }],
    [hashOf(tokens.vic), { name: "vic", role: "viewer", created }],
  ]);
  return {
    started,
    known,
    feed: {
      watch: () => () => undefined,
      latest: () => undefined,
      age: () => 0,
      hurry: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    },
    people: peopleIn({ tokenWith: async (hash) => known.get(hash) }, undefined),
    starter: {
      start: (words, { by, what }) => {
        started.push({ words, by, what });
        return { id: "1", by, what, at: "now" };
      },
      begun: () => [],
      [Symbol.dispose]: () => undefined,
    },
    history: { runs: async () => [], run: async () => undefined, printed: async () => [] },
    preview: async () => ["as you wish"],
    about: { fleet: "shop", needs: ["RELEASE"] },
    inventory: "/etc/rota/shop.yml",
    metrics: async () => "rota_holds 0\n",
    illness: async () => undefined,
    page: new Map([["/", { type: "text/html", body: new TextEncoder().encode("<!doctype html>") }]]),
    names: new Set(["localhost", "127.0.0.1", "rota.example.net"]),
    ...over,
  };
}

export const messageIn = (frame: Frame): Message =>
  JSON.parse(new TextDecoder().decode(frame).replace(/^data: /, ""));

export const nodeView = (name: string, over: Partial<NodeView> = {}): NodeView => ({
  name,
  pool: "web",
  release: undefined,
  mark: "✓",
  tone: "good",
  note: "",
  held: false,
  entries: [[0, "UP", 0, 0, 0, 1]],
  ...over,
});

export const fleetView = (nodes: NodeView[], over: Partial<FleetView> = {}): FleetView => ({
  fleet: "shop",
  places: ["lb1/app"],
  capacity: [[nodes.length, nodes.length]],
  alerts: [],
  lease: undefined,
  nodes,
  ...over,
});

export const runView = (over: Partial<RunView> = {}): RunView => ({
  run: "abc123",
  command: "deploy",
  fleet: "shop",
  by: "ann",
  reason: undefined,
  set: {},
  started: "2026-11-27T00:00:00.000Z",
  ended: undefined,
  outcome: undefined,
  message: undefined,
  state: "under way",
  paused: undefined,
  nodes: [],
  deeds: [],
  ...over,
});

export const picture = (nodes: NodeView[], run?: RunView): Picture => ({ fleet: fleetView(nodes), run });
