import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { DirectAddress } from "../../src/inventory/fleet.ts";
import { portOf } from "./app.ts";

export interface FakeHaproxyOptions {
  /** Backends and the names of their servers. */
  backends: Record<string, string[]>;
  kind?: "unix" | "tcp";
  /** What its socket may do. */
  level?: Level;
  /** 3.x has more columns, at other places. */
  version?: "2.6" | "3.4";
  /** Frontends; one may have a backend's name, and `show stat NAME` then means the frontend. */
  frontends?: string[];
  rise?: number;
  fall?: number;
  /** With which health a server leaves maint; 3.2 can do either. */
  initState?: "up" | "fully-up";
  /** Runs health checks by itself, one each few ms. Without it a test calls `check()`. */
  autoCheck?: boolean;
}

type Level = "user" | "operator" | "admin";

/** What goes wrong with one connection, or with one more line on it. */
export type Fault =
  /** Closed without a byte: nothing was done. */
  | "close"
  | "reset"
  /** Does what it is told, and the answer ends in the middle. */
  | "cut"
  /** Takes the line and never answers. */
  | "hang"
  /** Does what it is told, and gives a byte each 20 ms. */
  | "drip"
  /** Answers and does not close. */
  | "linger"
  /** A worker that a reload replaced takes it. */
  | "old worker"
  /** These bytes, whatever was asked. */
  | { answer: string };

/** A server line; a test may change anything. */
export interface FakeServer {
  /** Bits of srv_admin_state that were set here; what is inherited by `tracks` comes on top. */
  admin: number;
  /** 0 stopped, 1 starting, 2 running, 3 stopping. */
  operational: number;
  weight: number;
  /** What the configuration gives it. */
  initialWeight: number;
  /** "-" where DNS did not answer. */
  address: string;
  port: number;
  /** Asks an agent on it. */
  agent: boolean;
  /** It would, and was told not to. */
  agentDisabled: boolean;
  /** The agent's last word was "down". */
  agentDown: boolean;
  /** Its backend's algorithm takes no weights. */
  isStatic: boolean;
  backup: boolean;
  /** HAProxy checks it. */
  checked: boolean;
  /** What its checks find. */
  passes: boolean;
  /** 0 … rise + fall - 1. */
  health: number;
  rise: number;
  fall: number;
  initState: "up" | "fully-up";
  /** "backend/server", or "". */
  tracks: string;
  lastCheck: string;
  /** Answers "done" to a state change and does nothing. */
  ignoresState: boolean;
  sessions: number;
  /** Sessions that no order ends, as those whose client has gone and whose app has not. */
  stuck: number;
  queued: number;
  total: number;
  retries: number;
  failedConnections: number;
  /** Answers of 500 and more, and the others. */
  errors: number;
  /** Requests in the last second. */
  rate: number;
  answered: number;
  /** Times that it went down. */
  downs: number;
}

/** An HAProxy's runtime socket: the real protocol on a real socket. */
export interface FakeHaproxy extends AsyncDisposable {
  address: DirectAddress;
  level: Level;
  /** The worker's process id. */
  pid: number;
  /** Every line that arrived. */
  lines: string[];
  /** How many connections there were. */
  connections: number;
  /** The most connections that waited for an answer at once. */
  mostAtOnce: number;
  server(backend: string, name: string): FakeServer;
  /** Every server line. */
  servers(): FakeServer[];
  /** What a person or rota set. */
  stateOf(backend: string, name: string): "ready" | "drain" | "maint";
  addServer(backend: string, name: string): FakeServer;
  removeServer(backend: string, name: string): void;
  /** What goes wrong with the next lines, one each; the first of a connection gets its own with the connection. */
  next(...faults: (Fault | undefined)[]): void;
  /** What goes wrong with every connection that `next` has nothing for. */
  always(fault: Fault | undefined): void;
  /** A new worker: another process, other numbers for all, everything it was told forgotten. */
  reload(): void;
  /** One health check of every server. */
  check(): void;
}

const bit = { maint: 1, inheritedMaint: 2, drain: 8, inheritedDrain: 16, unresolved: 32 } as const;
const inMaint = bit.maint | bit.inheritedMaint | bit.unresolved;
const inDrain = bit.drain | bit.inheritedDrain;

export async function fakeHaproxy(options: FakeHaproxyOptions): Promise<FakeHaproxy> {
  const { kind = "unix", level = "admin", autoCheck = true } = options;
  const folder = await mkdtemp(join(tmpdir(), "rota-lb-"));
  const proxies = new Map(
    Object.entries(options.backends).map(([name, servers]) => [
      name,
      new Map(servers.map((server, i) => [server, freshServer(options, i)])),
    ]),
  );
  const queue: (Fault | undefined)[] = [];
  let usual: Fault | undefined;
  let previousPid = 0;
  let firstId = 1;

  const world = (): View => ({
    proxies,
    frontends: options.frontends ?? [],
    firstId,
    level: haproxy.level,
    version: options.version ?? "2.6",
    pid: haproxy.pid,
    stopping: false,
  });

  /** One answer for each command. */
  const answers = (line: string, fault: Fault | undefined, mine: number): string[] => {
    const isOld = fault === "old worker" || mine !== haproxy.pid;
    const old = { ...world(), pid: mine === haproxy.pid ? previousPid : mine, stopping: true };
    return line.split(";").map((command) => answerTo(command.trim(), isOld ? old : world()));
  };

  const sockets = new Set<net.Socket>();
  const waiting = new Set<net.Socket>();
  const nextFault = (): Fault | undefined => (queue.length > 0 ? queue.shift() : usual);
  const server = net.createServer((socket) => {
    let fault = nextFault();
    let interactive = false;
    /** Whoever takes a connection keeps it, also when it is replaced. */
    const worker = haproxy.pid;
    sockets.add(socket);
    waiting.add(socket);
    haproxy.connections += 1;
    haproxy.mostAtOnce = Math.max(haproxy.mostAtOnce, waiting.size);
    socket.on("close", () => sockets.delete(socket) && waiting.delete(socket));
    socket.on("error", () => {}); // the client left, which is what tests are about
    if (fault === "reset") reset(socket, kind);
    let line = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      line += chunk;
      if (!line.endsWith("\n")) return;
      if (interactive) fault = nextFault();
      const prompted = line.startsWith("prompt;");
      const asked = line.trimEnd().replace(/^prompt;/, "");
      line = "";
      haproxy.lines.push(asked);
      const silent = fault === "hang" || asked.length > 15_360; // which 2.6 never answers
      if (silent) return;
      waiting.delete(socket);
      if (fault === "close") return void socket.end();
      if (fault === "reset") return reset(socket, kind);
      interactive ||= prompted;
      const all = answers(asked, fault, worker);
      if (interactive) void give(socket, withPrompts(prompted ? ["\n", ...all] : all, options), fault, true);
      else void give(socket, all.join(""), fault, false);
    });
  });

  const path = join(folder, "admin.sock");
  if (kind === "unix") server.listen(path);
  else server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const serversOf = (backend: string): Map<string, FakeServer> => {
    const servers = proxies.get(backend);
    if (!servers) throw new Error(`the fake HAProxy has no backend ${backend}`);
    return servers;
  };
  const haproxy: FakeHaproxy = {
    address: kind === "unix" ? { kind, path } : { kind, host: "127.0.0.1", port: portOf(server) },
    level,
    pid: 4_000,
    lines: [],
    connections: 0,
    mostAtOnce: 0,
    server(backend, name) {
      const found = serversOf(backend).get(name);
      if (!found) throw new Error(`the fake HAProxy has no server ${backend}/${name}`);
      return found;
    },
    servers: () => allServers(proxies),
    stateOf(backend, name) {
      const { admin } = haproxy.server(backend, name);
      if (admin & bit.maint) return "maint";
      return admin & bit.drain ? "drain" : "ready";
    },
    addServer(backend, name) {
      const servers = serversOf(backend);
      servers.set(name, freshServer(options, servers.size));
      return haproxy.server(backend, name);
    },
    removeServer: (backend, name) => void serversOf(backend).delete(name),
    next: (...faults) => void queue.push(...faults),
    always: (fault) => void (usual = fault),
    reload() {
      previousPid = haproxy.pid;
      haproxy.pid += 1;
      firstId += 10;
      for (const one of allServers(proxies)) Object.assign(one, forgotten(one));
    },
    check: () => allServers(proxies).forEach(checkOnce),
    async [Symbol.asyncDispose]() {
      clearInterval(checking);
      server.close();
      sockets.forEach((socket) => socket.destroy());
      await rm(folder, { recursive: true, force: true });
    },
  };
  const checking = setInterval(() => autoCheck && haproxy.check(), 10);
  return haproxy;
}

const freshServer = (
  { rise = 2, fall = 2, initState = "up" }: FakeHaproxyOptions,
  at: number,
): FakeServer => ({
  admin: 0,
  operational: 2,
  weight: 1,
  initialWeight: 1,
  address: "127.0.0.1",
  port: 8_000 + at,
  agent: false,
  agentDisabled: false,
  agentDown: false,
  isStatic: false,
  backup: false,
  checked: true,
  passes: true,
  health: rise + fall - 1,
  rise,
  fall,
  initState,
  tracks: "",
  lastCheck: "Layer7 check passed",
  ignoresState: false,
  sessions: 0,
  stuck: 0,
  queued: 0,
  total: 0,
  retries: 0,
  failedConnections: 0,
  errors: 0,
  rate: 0,
  answered: 0,
  downs: 0,
});

/** A new worker believes that every server is just up. */
const forgotten = ({ rise, initialWeight, agent, agentDisabled }: FakeServer): Partial<FakeServer> => ({
  admin: 0,
  agent: agent || agentDisabled,
  agentDisabled: false,
  operational: 2,
  weight: initialWeight,
  health: rise,
  sessions: 0,
  queued: 0,
  total: 0,
  retries: 0,
  failedConnections: 0,
  errors: 0,
  rate: 0,
  answered: 0,
  downs: 0,
});

/** As HAProxy counts: a pass that reaches `rise` makes it full, `fall` failures in a row make it 0. */
function checkOnce(server: FakeServer): void {
  if (!server.checked || server.admin & inMaint) return;
  const full = server.rise + server.fall - 1;
  if (server.passes) server.health = server.health + 1 >= server.rise ? full : server.health + 1;
  else server.health = server.health > server.rise ? server.health - 1 : 0;
  const before = server.operational;
  server.operational = server.health >= server.rise && !(server.agent && server.agentDown) ? 2 : 0;
  if (before === 2 && server.operational === 0) server.downs += 1;
}

type Proxies = Map<string, Map<string, FakeServer>>;

/** What one worker knows. */
interface View {
  proxies: Proxies;
  frontends: string[];
  firstId: number;
  level: Level;
  version: "2.6" | "3.4";
  pid: number;
  stopping: boolean;
}

const allServers = (proxies: Proxies): FakeServer[] =>
  [...proxies.values()].flatMap((servers) => [...servers.values()]);

/** A Unix socket knows no reset: the client sees its connection closed. */
function reset(socket: net.Socket, kind: "unix" | "tcp"): void {
  if (kind === "tcp") socket.resetAndDestroy();
  else socket.destroy();
}

/** 2.6 has a prompt after each answer, 3.2 after the last of a line. */
function withPrompts(answers: string[], { version = "2.6" }: FakeHaproxyOptions): string {
  return version === "2.6" ? answers.map((one) => `${one}> `).join("") : `${answers.join("")}> `;
}

async function give(
  socket: net.Socket,
  answer: string,
  fault: Fault | undefined,
  stays: boolean,
): Promise<void> {
  if (fault === "drip") {
    for (const byte of answer) {
      if (socket.destroyed) return;
      socket.write(byte);
      await wait(20);
    }
  } else if (fault === "cut") socket.end(answer.slice(0, answer.length / 2));
  else if (typeof fault === "object") socket.end(fault.answer);
  else if (stays || fault === "linger") socket.write(answer);
  else socket.end(answer);
}

const done = "\n";
const text = (...lines: string[]): string => `${lines.join("\n")}\n\n`;

function answerTo(command: string, view: View): string {
  const words = command.split(" ");
  const known = commands.find(([start]) => `${command} `.startsWith(`${start} `));
  if (!known)
    return text("Unknown command, but maybe one of the following ones is a better match:", "  help");
  const [start, answer] = known;
  return answer(words.slice(start.split(" ").length), view);
}

const commands: [string, (words: string[], view: View) => string][] = [
  ["show info", showInfo],
  ["show cli level", (_, { level }) => text(level)],
  ["show servers state", showServersState],
  ["show stat", showStat],
  ["set server", setServer],
  ["show sess", showSess],
  ["shutdown sessions server", shutdownSessions],
  ["disable agent", (words, view) => setAgent(words, view, false)],
  ["enable agent", (words, view) => setAgent(words, view, true)],
];

function showInfo(_: string[], { version, pid, stopping }: View): string {
  const release = version === "2.6" ? "2.6.12-1+deb12u3" : "3.4.0";
  return text(
    "Name: HAProxy",
    `Version: ${release}`,
    "Nbthread: 2",
    `Pid: ${pid}`,
    "Uptime: 0d 0h00m02s",
    "Idle_pct: 100",
    "node: ",
    `Stopping: ${stopping ? 1 : 0}`,
    "Unstoppable Jobs: 1",
    `Build info: ${release}`,
    "Tainted: 0",
  );
}

const stateColumns =
  "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

function showServersState([name]: string[], view: View): string {
  if (name !== undefined && !view.proxies.has(name)) return text("Can't find backend.");
  const rows = backendsOf(view)
    .filter((backend) => name === undefined || backend.name === name)
    .flatMap((backend) =>
      backend.servers.map(({ id, name: server, state, admin, operational }) => {
        const checkState = state.checked ? (admin & inMaint ? 14 : 6) : 0;
        return `${backend.id} ${backend.name} ${id} ${server} ${state.address} ${operational} ${admin} ${state.weight} ${state.initialWeight} 5 15 3 ${state.health} ${checkState} ${state.agent ? 6 : 0} 0 0 - ${state.port} - 0 0 - - 0`;
      }),
    );
  return text("1", `# ${stateColumns}`, ...rows);
}

const columns26 =
  "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,agg_check_status,-,ssl_sess,ssl_reused_sess,ssl_failed_handshake,h2_headers_rcvd,h2_data_rcvd,h2_settings_rcvd,h2_rst_stream_rcvd,h2_goaway_rcvd,h2_detected_conn_protocol_errors,h2_detected_strm_protocol_errors,h2_rst_stream_resp,h2_goaway_resp,h2_open_connections,h2_backend_open_streams,h2_total_connections,h2_backend_total_streams,h1_open_connections,h1_open_streams,h1_total_connections,h1_total_streams,h1_bytes_in,h1_bytes_out,h1_spliced_bytes_in,h1_spliced_bytes_out,";

/** 3.x counts more, and not at the end only. */
const columns34 = columns26
  .replace("wredis,status", "wredis,sess_other,status")
  .replace(
    "agg_check_status,",
    "agg_check_status,srid,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,",
  );

const types = { backend: 2, server: 4 } as const;

function showStat([proxy, type, sid]: string[], view: View): string {
  const columns = (view.version === "2.6" ? columns26 : columns34).split(",");
  const { backends, frontends } = { backends: backendsOf(view), frontends: view.frontends };
  const everything = type === undefined || sid === undefined;
  const wanted = everything ? types.backend | types.server : Number(type);
  const isFrontend = proxy !== undefined && frontends.includes(proxy);
  const named = backends.some((backend) => backend.name === proxy);
  if (!everything && !isFrontend && !named && !/^-?\d+$/.test(proxy ?? "")) return text("No such proxy.");
  const rows = backends
    .filter((backend) => {
      if (everything || proxy === "-1") return true;
      return !isFrontend && (named ? backend.name === proxy : String(backend.id) === proxy);
    })
    .flatMap((backend) => [
      ...(wanted & types.server
        ? backend.servers
            .filter(({ id }) => everything || sid === "-1" || String(id) === sid)
            .map((server) => serverRow(backend, server))
        : []),
      ...(wanted & types.backend && (everything || sid === "-1" || sid === "0") ? [backendRow(backend)] : []),
    ]);
  return text(
    `# ${columns.join(",")}`,
    ...rows.map((row) => columns.map((c) => csv(row[c] ?? "")).join(",")),
  );
}

const csv = (value: string | number): string =>
  /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);

type Row = Record<string, string | number>;

function serverRow(backend: SeenBackend, { id, name, state, ...seen }: SeenServer): Row {
  const checks = state.checked && !(seen.admin & inMaint);
  return {
    pxname: backend.name,
    svname: name,
    qcur: state.queued,
    scur: state.sessions,
    stot: state.total,
    econ: state.failedConnections,
    wretr: state.retries,
    wredis: 0,
    eresp: 0,
    rate: state.rate,
    cli_abrt: 0,
    srv_abrt: 0,
    chkfail: 0,
    chkdown: state.downs,
    hrsp_1xx: 0,
    hrsp_2xx: state.answered,
    hrsp_3xx: 0,
    hrsp_4xx: 0,
    hrsp_5xx: state.errors,
    hrsp_other: 0,
    rtime: 3,
    status: statusOf({ id, name, state, ...seen }),
    weight: state.weight,
    act: state.backup ? 0 : 1,
    bck: state.backup ? 1 : 0,
    iid: backend.id,
    sid: id,
    tracked: state.tracks,
    type: 2,
    // While a server is in maintenance its checks rest, and HAProxy shows nothing of them.
    ...(checks
      ? {
          check_status: state.passes ? "L7OK" : "L7STS",
          last_chk: state.lastCheck,
          check_rise: state.rise,
          check_fall: state.fall,
          check_health: state.health,
        }
      : {}),
  };
}

function backendRow({ name, id, servers }: SeenBackend): Row {
  const usable = servers.filter(
    ({ admin, operational, state }) =>
      (operational === 1 || operational === 2) && !(admin & (inMaint | inDrain)) && state.weight > 0,
  );
  const backups = usable.filter(({ state }) => state.backup).length;
  return {
    pxname: name,
    svname: "BACKEND",
    qcur: 0,
    scur: servers.reduce((sum, { state }) => sum + state.sessions, 0),
    stot: servers.reduce((sum, { state }) => sum + state.total, 0),
    econ: 0,
    wretr: 0,
    status: usable.length > 0 ? "UP" : "DOWN",
    act: usable.length - backups,
    bck: backups,
    iid: id,
    sid: 0,
    type: 1,
  };
}

function statusOf({ state, admin, operational }: SeenServer): string {
  if (admin & bit.maint) return "MAINT";
  if (admin & bit.unresolved) return "MAINT (resolution)";
  if (admin & bit.inheritedMaint) return `MAINT (via ${state.tracks})`;
  const { health, rise, fall } = state;
  if (operational === 0 && state.agent && state.agentDown) return "DOWN (agent)";
  if (operational === 0) return health > 0 ? `DOWN ${health}/${rise}` : "DOWN";
  const failing = state.checked && health < rise + fall - 1 ? ` ${health - rise + 1}/${fall}` : "";
  if (operational === 3) return `NOLB${failing}`;
  if (admin & inDrain) return `DRAIN${failing}`;
  return state.checked || state.tracks ? `UP${failing}` : "no check";
}

/** This one's version does not filter: whatever is asked, it gives all. */
function showSess(_: string[], view: View): string {
  if (view.level === "user") return text("Permission denied");
  const rest = "rq[f=49c40000h,i=0,an=8000h,rx=,wx=,ax=] exp=57s rc=0 c_exp=";
  const lines = backendsOf(view).flatMap(({ name, servers }) =>
    servers.flatMap((server, at) =>
      Array.from({ length: server.state.sessions }, (__, i) => {
        const client = `src=10.0.${at}.${i + 1}:40000 fe=http be=${name} srv=${server.name}`;
        return `0x55d77b8ff${at}${i.toString(16)}0: proto=tcpv4 ${client} ts=00 epoch=0 age=1m${i}s calls=3 rate=1 cpu=0 lat=0 ${rest}`;
      }),
    ),
  );
  const own = `0x55d77ba23a50: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 ${rest}`;
  return text(own, ...lines);
}

function shutdownSessions([place = ""]: string[], { level, proxies }: View): string {
  if (level !== "admin") return text("Permission denied");
  const [backend = "", name = ""] = place.split("/");
  const server = proxies.get(backend)?.get(name);
  if (!server) return text("No such server.");
  server.sessions = Math.min(server.sessions, server.stuck);
  return done;
}

/** The server that a command is about, or what HAProxy says instead. */
function serverIn(place: string, view: View): FakeServer | string {
  if (view.level !== "admin") return text("Permission denied");
  const [backend = "", name = ""] = place.split("/");
  const servers = view.proxies.get(backend);
  if (!servers) return text("No such backend.");
  const server = servers.get(name);
  if (!server) return text("No such server.");
  return view.stopping ? text("Proxy is disabled.") : server;
}

function setAgent([place = ""]: string[], view: View, asked: boolean): string {
  const server = serverIn(place, view);
  if (typeof server === "string") return server;
  const hasAgent = server.agent || server.agentDisabled;
  if (!hasAgent) return asked ? text("Agent was not configured on this server, cannot enable.") : done;
  Object.assign(server, { agent: asked, agentDisabled: !asked });
  return done;
}

function setServer([place = "", what = "", value = ""]: string[], view: View): string {
  const server = serverIn(place, view);
  if (typeof server === "string") return server;
  if (what === "weight" && /^\d+$/.test(value)) {
    if (server.isStatic && Number(value) !== server.initialWeight)
      return text("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.");
    server.weight = Number(value);
    return done;
  }
  if (what === "agent" && value === "down") {
    if (!server.agent) return text("agent checks are not enabled on this server.");
    Object.assign(server, { agentDown: true, operational: 0 });
    return done;
  }
  if (what === "health" && value === "down") {
    if (server.tracks) return text("cannot change health on a tracking server.");
    if (!(server.admin & inMaint)) Object.assign(server, { health: 0, operational: 0 });
    return done;
  }
  if (what !== "state" || !/^(ready|drain|maint)$/.test(value))
    return text("'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
  if (!server.ignoresState) setState(server, value);
  return done;
}

function setState(server: FakeServer, state: string): void {
  if (state === "maint") {
    Object.assign(server, { admin: (server.admin & ~bit.drain) | bit.maint, operational: 0, health: 0 });
    return;
  }
  const left = (server.admin & bit.maint) !== 0;
  server.admin &= ~(bit.maint | bit.drain);
  if (state === "drain") server.admin |= bit.drain;
  // Whatever leaves maintenance is up at once, before any check.
  const full = server.rise + server.fall - 1;
  if (left) Object.assign(server, { operational: 2, health: server.initState === "up" ? server.rise : full });
}

interface SeenServer {
  id: number;
  name: string;
  state: FakeServer;
  admin: number;
  operational: number;
}

interface SeenBackend {
  id: number;
  name: string;
  servers: SeenServer[];
}

/** The backends as HAProxy would show them: numbered, and with what a server takes over from the one it tracks. */
function backendsOf(view: View): SeenBackend[] {
  const { proxies, frontends, firstId } = view;
  return [...proxies].map(([name, servers], at) => ({
    id: firstId + frontends.length + at,
    name,
    servers: [...servers].map(([server, state], i) => ({
      id: firstId + i,
      name: server,
      state,
      admin: state.admin | inherited(state, view),
      operational: trackedBy(state, view)?.operational ?? state.operational,
    })),
  }));
}

function trackedBy({ tracks }: FakeServer, { proxies }: View): FakeServer | undefined {
  const [backend = "", name = ""] = tracks.split("/");
  return proxies.get(backend)?.get(name);
}

function inherited(server: FakeServer, view: View): number {
  const tracked = trackedBy(server, view)?.admin ?? 0;
  return (
    (tracked & inMaint ? bit.inheritedMaint : 0) |
    (tracked & inDrain && !(tracked & inMaint) ? bit.inheritedDrain : 0)
  );
}
