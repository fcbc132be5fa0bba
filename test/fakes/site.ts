import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stringify } from "yaml";
import type { Io } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import type { Event, StepName } from "../../src/events/events.ts";
import type { OpenJournal } from "../../src/journal/journal.ts";
import { openJournal } from "../../src/journal/open.ts";
import { thisProcess } from "../../src/journal/process.ts";
import type { Journal } from "../../src/rotation/records.ts";
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
  /** Over the whole inventory. */
  fleet?: Overrides;
  haproxy?: Partial<FakeHaproxyOptions>;
}

/** What a person types, or does before that. */
export type Answer = string | (() => Promise<string>);

/** What a command came to. */
export interface Said {
  code: number;
  out: string;
  err: string;
  /** With --json. */
  events: Event[];
  /** What a person at a terminal was asked. */
  asked: string;
}

/** The whole program in this process, between balancers, hosts and apps that fail on demand. */
export interface FakeSite extends AsyncDisposable {
  inventory: string;
  /** What the program finds its journal by, also in a process of its own. */
  env: Record<string, string | undefined>;
  /** Of its nodes. */
  names: string[];
  balancers: FakeHaproxy[];
  nodes: string[];
  /** Of each balancer. */
  backends: string[];
  balancer(name: string): FakeHaproxy;
  host(name: string): FakeHost;
  app(name: string): FakeApp;
  /** Reads, and writes for which it holds the lease only as long as they take. */
  journal(): Promise<OpenJournal & Journal>;
  /** Runs a command on the site's inventory and journal; never asks. */
  rota(...words: string[]): Promise<Said>;
  /** Words as they stand, in a folder in which nothing is found by itself. */
  typed(words: string[]): Promise<Said>;
  /** `rota` at a terminal, where a person types these, one for each question, and Enter once they are used up. */
  typing(answers: Answer[], ...words: string[]): Promise<Said>;
  /** Does something, once, when a command run with --json says that a node begins a step, before it does. */
  atStep(node: string, step: StepName, act: () => void): void;
  /** The same, when it says that it waits for something that matches. */
  whenWaiting(node: string, saw: RegExp, act: () => void): void;
  /** The same, when any command says a line on stderr that matches. */
  whenSaid(line: RegExp, act: () => void): void;
  /** The admin state of a node in every backend of every balancer, each word once. */
  stateOf(node: string): string;
  /** Every state command that the balancers were given about a node, in order. */
  told(node: string): string[];
}

/**
 * The journal waits for the disk at each write, which is not what these tests are about; but whoever names a place for
 * temporary files, as scripts/chaos does, gets all of them there.
 */
const inMemory = !process.env["TMPDIR"] && existsSync("/dev/shm");

export async function fakeSite(options: FakeSiteOptions = {}): Promise<FakeSite> {
  const folder = await mkdtemp(join(inMemory ? "/dev/shm" : tmpdir(), "rota-site-"));
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
  await writeFile(
    inventory,
    stringify(
      merged(inventoryOf({ names, balancers, hosts, apps }, options.pool ?? {}), options.fleet ?? {}),
    ),
  );
  const env = { ...process.env, ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` };

  const hooks: Hook[] = [];
  const listeners: Listener[] = [];

  return {
    inventory,
    env,
    names,
    balancers,
    nodes: names,
    backends,
    balancer: (name) =>
      named(
        balancers,
        numbers(balancers.length)
          .map((n) => `lb${n}`)
          .indexOf(name),
      ),
    host: (name) => named(hosts, names.indexOf(name)),
    app: (name) => named(apps, names.indexOf(name)),
    journal: async () => {
      const open = await openJournal(env);
      return { ...open, ...writesOn(open) };
    },
    rota: (command = "", ...words) =>
      run([command, "-i", inventory, ...words], { env, cwd: folder, hooks, listeners }),
    typed: (words) => run(words, { env, cwd: tmpdir(), hooks, listeners }),
    typing: (answers, command = "", ...words) =>
      run([command, "-i", inventory, ...words], { env, cwd: folder, hooks, listeners, answers }),
    atStep: (node, step, act) =>
      void hooks.push({
        fits: (event) => event.type === "step started" && event.node === node && event.step === step,
        act,
      }),
    whenWaiting: (node, saw, act) =>
      void hooks.push({
        fits: (event) => event.type === "waiting" && event.node === node && saw.test(event.saw),
        act,
      }),
    whenSaid: (line, act) => void listeners.push({ line, act }),
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

interface Hook {
  fits: (event: Event) => boolean;
  act: () => void;
}

interface Listener {
  line: RegExp;
  act: () => void;
}

interface Surroundings {
  env: Record<string, string | undefined>;
  cwd: string;
  hooks: Hook[];
  listeners: Listener[];
  /** Typed by a person at a terminal, one for each question. */
  answers?: Answer[];
}

function writesOn(open: OpenJournal): Journal {
  const fleet = "fake";
  const held = async <T>(write: (journal: Journal) => Promise<T>): Promise<T> => {
    const claim = { fleet, by: "a test", command: "test", reason: undefined, ...thisProcess() };
    const taken = await open.take(claim);
    if ("heldBy" in taken) throw new Error("the site's lease is held");
    try {
      return await write(open.under(fleet, taken.epoch));
    } finally {
      await open.release(fleet, taken.epoch);
    }
  };
  return {
    begin: (start) => held((journal) => journal.begin(start)),
    resumed: (...args) => held((journal) => journal.resumed(...args)),
    stepStarted: (...args) => held((journal) => journal.stepStarted(...args)),
    stepEnded: (...args) => held((journal) => journal.stepEnded(...args)),
    printed: (...args) => held((journal) => journal.printed(...args)),
    switched: (...args) => held((journal) => journal.switched(...args)),
    takenOut: (...args) => held((journal) => journal.takenOut(...args)),
    putBack: (...args) => held((journal) => journal.putBack(...args)),
    nodeEnded: (...args) => held((journal) => journal.nodeEnded(...args)),
    end: (...args) => held((journal) => journal.end(...args)),
    undone: (...args) => held((journal) => journal.undone(...args)),
  };
}

/** A person who answers each question once, when it has been asked: each ends in a space. */
function personWho(answers: Answer[]): Pick<Io, "keyboard" | "questions"> & { asked: () => string } {
  const questions = new PassThrough();
  const keyboard = new PassThrough();
  const left = [...answers];
  let asked = "";
  questions.setEncoding("utf8").on("data", (text: string) => {
    asked += text;
    if (/[\]:] $/.test(text)) void type(left.shift() ?? "");
  });
  async function type(answer: Answer): Promise<void> {
    keyboard.write(`${typeof answer === "string" ? answer : await answer()}\n`);
  }
  // A terminal as far as asking needs one.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { questions, keyboard: keyboard as unknown as NodeJS.ReadStream, asked: () => asked };
}

async function run(words: string[], { env, cwd, hooks, listeners, answers }: Surroundings): Promise<Said> {
  const person = answers && personWho(answers);
  const json = words.includes("--json");
  const said: { out: string[]; err: string[] } = { out: [], err: [] };
  const heard = (event: Event): void => {
    const at = hooks.findIndex(({ fits }) => fits(event));
    if (at >= 0) for (const { act } of hooks.splice(at, 1)) act();
  };
  const code = await main(words, {
    out(text) {
      said.out.push(text);
      if (json) heard(JSON.parse(text));
    },
    err(text) {
      said.err.push(text);
      const at = listeners.findIndex(({ line }) => line.test(text));
      if (at >= 0) for (const { act } of listeners.splice(at, 1)) act();
    },
    env,
    cwd,
    terminal: undefined,
    colourOut: false,
    width: Infinity,
    keyboard: person?.keyboard,
    outGone: () => false,
    questions: person?.questions ?? process.stderr,
  });
  const events = json ? said.out.map((line): Event => JSON.parse(line)) : [];
  return { code, out: said.out.join("\n"), err: said.err.join("\n"), events, asked: person?.asked() ?? "" };
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
        check: { url: "http://{host}:{PORT}/_status", within: "10s" },
        limits: { connect: "10s", command: "20s", ready: "10s", capacity: "10s" },
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
