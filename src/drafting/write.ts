/** A sketch → the text of an inventory. Written by the YAML library, so that no name or remark can be more than that. */
import { Document, isMap, isScalar, type Node, Pair, Scalar, YAMLMap } from "yaml";
import { compress } from "./compress.ts";
import { fillIn } from "./fill-in.ts";
import { remark } from "./remark.ts";
import type { Sketch, SketchNode, SketchPool } from "./sketch.ts";

/** A map that is being written, with what stands before and beside its keys. */
interface Writing {
  put(key: string, value: unknown, beside?: string): Writing;
  map(key: string): Writing;
  before(...lines: string[]): Writing;
  /** Lines that stand at the end. */
  after(...lines: string[]): void;
}

export function write(sketch: Sketch): string {
  const document = new Document();
  const contents = new YAMLMap();
  document.contents = contents;
  const top = writingIn(document, contents);
  document.commentBefore = commented(sketch.about);
  top.put("fleet", sketch.fleet);
  writeBalancers(top.map("balancers"), sketch);
  writeLogin(top, sketch);
  top.before(...sketch.poolRemarks);
  const pools = top.map("pools");
  for (const pool of sketch.pools) writePool(pools.before(...pool.remarks).map(pool.name), pool);
  top.after(...sketch.left);
  spaced(contents);
  return document.toString({ lineWidth: 0 });
}

function writeBalancers(balancers: Writing, { balancers: all, balancerRemarks }: Sketch): void {
  balancers.before(...balancerRemarks);
  for (const { name, address, remarks } of all) balancers.before(...remarks).put(name, address);
}

/** What is not said, OpenSSH's configuration says. */
function writeLogin(top: Writing, { ssh, sshRemarks }: Sketch): void {
  const hints = [
    ...sshRemarks,
    ...(ssh.user === undefined
      ? [`user: deploy # ${fillIn}, if ~/.ssh/config does not say who logs in to the nodes`]
      : []),
  ];
  const entries = Object.entries(ssh);
  if (entries.length === 0) {
    top.before("ssh:", ...hints.map((line) => `  ${line}`), "");
    return;
  }
  const login = top.map("ssh").before(...hints);
  for (const [key, value] of entries) login.put(key, value);
}

function writePool(pool: Writing, sketch: SketchPool): void {
  if (sketch.balancers) pool.put("balancers", flow(sketch.balancers));
  if (sketch.backends) pool.put("backends", flow(sketch.backends));
  pool.before(...sketch.hints);
  const nodes = pool.map("nodes");
  for (const node of compress(sketch.nodes)) nodes.before(...node.remarks).put(node.name, valueOf(node));
  if (sketch.vars && Object.keys(sketch.vars).length > 0) pool.put("vars", sketch.vars);
  pool.before(
    "needs: [RELEASE] # FILL IN, where a deploy takes a version: rota deploy --set RELEASE=42",
    'upgrade: ./switch-release "$RELEASE" # FILL IN: what is done on the node while it is out, as /bin/sh -eu',
  );
  pool
    .map("restart")
    .before("FILL IN: the app's unit, or another way: docs/restarts.md.")
    .put("via", "systemd")
    .put("unit", "FILL_IN", "refused before any node leaves, until it is the name of a unit");
  const { url, status, remarks } = sketch.check;
  const check = pool.map("check").before(...remarks);
  check.put("url", url);
  if (status !== undefined) check.put("status", status);
}

function valueOf({ host, server, ssh, vars }: SketchNode): unknown {
  const more = { ...(server ? { server } : {}), ...(ssh ? { ssh } : {}), ...(vars ? { vars } : {}) };
  return Object.keys(more).length > 0 ? flow({ host, ...more }) : host;
}

/** On one line, between brackets. */
class Flow {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}
const flow = (value: unknown): Flow => new Flow(value);

function writingIn(document: Document, map: YAMLMap): Writing {
  let waiting: string[] = [];
  const add = (key: string, value: Node): void => {
    const name = new Scalar(key);
    if (waiting.length > 0) name.commentBefore = commented(waiting);
    waiting = [];
    map.items.push(new Pair(name, value));
  };
  const writing: Writing = {
    put(key, value, beside) {
      const node =
        value instanceof Flow ? document.createNode(value.value, { flow: true }) : document.createNode(value);
      if (beside !== undefined && isScalar(node)) node.comment = ` ${remark(beside)}`;
      add(key, node);
      return writing;
    },
    map(key) {
      const below = new YAMLMap();
      add(key, below);
      return writingIn(document, below);
    },
    before(...lines) {
      waiting.push(...lines);
      return writing;
    },
    after(...lines) {
      if (lines.length > 0) document.comment = commented(lines);
    },
  };
  return writing;
}

const commented = (lines: string[]): string =>
  lines.map((line) => (line === "" ? "" : ` ${remark(line)}`)).join("\n");

/** An empty line before each part of the file. */
function spaced(top: YAMLMap): void {
  for (const [i, { key, value }] of top.items.entries()) {
    if (isScalar(key) && i > 0) key.spaceBefore = true;
    if (isScalar(key) && key.value === "pools" && isMap(value)) {
      for (const { key: pool } of value.items.slice(1)) if (isScalar(pool)) pool.spaceBefore = true;
    }
  }
}
