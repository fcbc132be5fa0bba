import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { main } from "../../src/cli/main.ts";
import type { Event } from "../../src/events/events.ts";
import { type OpenJournal, openJournal } from "../../src/journal/open.ts";
import { type FakeApp, fakeApp } from "./app.ts";
import { type FakeHaproxy, fakeHaproxy, type FakeHaproxyOptions } from "./haproxy.ts";
import { type FakeHost, fakeHost } from "./ssh-host.ts";

/** A part of an inventory, laid over the site's own; a key that is given as undefined goes. */
export type Overrides = { [key: string]: unknown };

export interface FakeSiteOptions {
  nodes?: number;
  balancers?: number;
  backends?: string[];
  /** Over the pool `web`. */
  pool?: Overrides;
  haproxy?: Partial<FakeHaproxyOptions>;
}

/** What a command came to. */
export interface Said {
  code: number;
  out: string;
  err: string;
  /** With --json. */
  events: Event[];
}

/** The whole program in this process, between balancers, hosts and apps that fail on demand. */
export interface FakeSite extends AsyncDisposable {
  inventory: string;
  balancers: FakeHaproxy[];
  balancer(name: string): FakeHaproxy;
  host(name: string): FakeHost;
  app(name: string): FakeApp;
  journal(): Promise<OpenJournal>;
  /** Runs a command on the site's inventory and journal; never asks. */
  rota(...words: string[]): Promise<Said>;
  /** The admin state of a node in every backend of every balancer, each word once. */
  stateOf(node: string): string;
  /** Every state command that the balancers were given about a node, in order. */
  told(node: string): string[];
}

export async function fakeSite(options: FakeSiteOptions = {}): Promise<FakeSite> {
  const folder = await mkdtemp(join(tmpdir(), "rota-site-"));
  const names = numbers(options.nodes ?? 2).map((n) => `web${n}`);
  const backends = options.backends ?? ["app"];
  const balancers = await Promise.all(
    numbers(options.balancers ?? 2).map((n) =>
      fakeHaproxy({
        backends: Object.fromEntries(backends.map((backend) => [backend, [...names]])),
        kind: n % 2 === 1 ? "unix" : "tcp",
        ...options.haproxy,
      }),
    ),
  );
  const hosts = await Promise.all(names.map(() => fakeHost()));
  const apps = await Promise.all(names.map(() => fakeApp()));
  const inventory = join(folder, "site.yml");
  await writeFile(inventory, stringify(inventoryOf({ names, balancers, hosts, apps }, options.pool ?? {})));
  const env = { ...process.env, ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` };

  return {
    inventory,
    balancers,
    balancer: (name) =>
      named(
        balancers,
        numbers(balancers.length)
          .map((n) => `lb${n}`)
          .indexOf(name),
      ),
    host: (name) => named(hosts, names.indexOf(name)),
    app: (name) => named(apps, names.indexOf(name)),
    journal: () => openJournal(env),
    rota: (command = "", ...words) => run([command, "-i", inventory, ...words], env, folder),
    stateOf(node) {
      const states = balancers.flatMap((lb) => backends.map((backend) => lb.stateOf(backend, node)));
      return [...new Set(states)].join(" and ");
    },
    told: (node) =>
      balancers.flatMap(({ lines }) =>
        lines
          .flatMap((line) => line.split(";"))
          .filter((command) => command.startsWith("set server") && command.includes(`/${node} `)),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...balancers, ...hosts, ...apps].map((part) => part[Symbol.asyncDispose]()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function run(words: string[], env: Record<string, string | undefined>, cwd: string): Promise<Said> {
  const said: { out: string[]; err: string[] } = { out: [], err: [] };
  const code = await main(words, {
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    env,
    cwd,
    terminal: undefined,
    colourOut: false,
    keyboard: undefined,
  });
  const events = words.includes("--json") ? said.out.map((line): Event => JSON.parse(line)) : [];
  return { code, out: said.out.join("\n"), err: said.err.join("\n"), events };
}

interface Parts {
  names: string[];
  balancers: FakeHaproxy[];
  hosts: FakeHost[];
  apps: FakeApp[];
}

const inventoryOf = ({ names, balancers, hosts, apps }: Parts, pool: Overrides): Overrides => ({
  fleet: "fake",
  balancers: Object.fromEntries(balancers.map(({ address }, i) => [`lb${i + 1}`, addressOf(address)])),
  pools: {
    web: merged(
      {
        nodes: Object.fromEntries(names.map((name, i) => [name, nodeOf(name, hosts[i], apps[i])])),
        needs: ["RELEASE"],
        upgrade: 'echo "upgrading to $RELEASE"',
        restart: { via: "command", run: "echo restarting" },
        check: { url: "http://{host}:{PORT}/_status", within: "2s" },
        limits: { connect: "2s", command: "5s", ready: "2s", capacity: "2s" },
      },
      pool,
    ),
  },
});

const addressOf = (address: FakeHaproxy["address"]): string =>
  address.kind === "unix" ? `unix:${address.path}` : `tcp://${address.host}:${address.port}`;

function nodeOf(name: string, host: FakeHost | undefined, app: FakeApp | undefined): Overrides {
  const { ssh } = named([host], 0).node(name);
  const login = { user: ssh.user, port: ssh.port, identity: ssh.identity, known_hosts: ssh.knownHosts };
  return { host: "127.0.0.1", ssh: login, vars: { PORT: `${app?.port}` } };
}

function named<T>(all: (T | undefined)[], at: number): T {
  const found = all[at];
  if (found === undefined) throw new Error(`the site has no number ${at}`);
  return found;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

function merged(base: Overrides, over: Overrides): Overrides {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isMap(below) && isMap(value) ? merged(below, value) : value;
  }
  return result;
}

const isMap = (value: unknown): value is Overrides =>
  typeof value === "object" && value !== null && !Array.isArray(value);
