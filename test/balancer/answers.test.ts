import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  AnswerError,
  readActivity,
  readBackends,
  readDone,
  readInfo,
  readLevel,
  readServerRows,
  readServerStates,
} from "../../src/balancer/answers.ts";
import { csvRecords } from "../../src/balancer/csv.ts";

/** What a reader makes of an answer that it does not take. */
function kindOf(read: () => unknown): string {
  try {
    read();
  } catch (thrown) {
    if (thrown instanceof AnswerError) return thrown.kind;
    throw thrown;
  }
  return "taken";
}

test("only an empty line means done", () => {
  expect(kindOf(() => readDone(""))).toBe("taken");
  expect(kindOf(() => readDone("Done."))).toBe("not understood");
});

test.each([
  ["No such server.", "no such server"],
  ["No such backend.", "no such backend"],
  ["Can't find backend.", "no such backend"],
  ["No such proxy.", "no such backend"],
  ["Permission denied", "permission denied"],
  ["Proxy is disabled.", "stopping"],
  ["Unknown command, but maybe one of the following ones is a better match:\n  help", "not understood"],
  ["cannot change health on a tracking server.", "not understood"],
])("the answer %j is the problem %j for every reader", (answer, kind) => {
  for (const read of [
    readDone,
    readLevel,
    readInfo,
    readServerStates,
    readServerRows,
    readActivity,
    readBackends,
  ])
    expect(kindOf(() => read(answer))).toBe(kind);
});

test("an answer that is not understood is shown, but not all of it", () => {
  expect(() => readLevel("x".repeat(1_000))).toThrow(`not understood: "${"x".repeat(200)}…"`);
});

test("show info tells the worker from the one before", () => {
  const info = ["Name: HAProxy", "Version: 2.6.12-1+deb12u3", "Pid: 5880", "node: ", "Stopping: 0"];
  expect(readInfo(info.join("\n"))).toEqual({ version: "2.6.12-1+deb12u3", pid: 5880, stopping: false });
  expect(readInfo(info.with(4, "Stopping: 1").join("\n")).stopping).toBe(true);
  expect(kindOf(() => readInfo(info.toSpliced(2, 1).join("\n")))).toBe("not understood");
});

const stateHeader =
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

test("show servers state is read as HAProxy 2.6 writes it", () => {
  const rows = [
    "3 app 2 web.2:x 127.0.0.1 2 8 1 1 13 15 3 3 6 0 0 0 - 18482 - 0 0 - - 0",
    "4 admin 1 web1 127.0.0.1 0 10 1 5 0 1 0 0 0 6 0 0 - 18481 - 0 0 - - 0",
  ];
  expect(readServerStates(["1", stateHeader, ...rows].join("\n"))).toEqual([
    {
      backend: "app",
      backendId: 3,
      server: "web.2:x",
      serverId: 2,
      operational: 2,
      admin: 8,
      weight: 1,
      initialWeight: 1,
      checked: true,
      agent: false,
      agentBusy: false,
      address: "127.0.0.1",
      port: 18_482,
    },
    {
      backend: "admin",
      backendId: 4,
      server: "web1",
      serverId: 1,
      operational: 0,
      admin: 10,
      weight: 1,
      initialWeight: 5,
      checked: false,
      agent: true,
      agentBusy: false,
      address: "127.0.0.1",
      port: 18_481,
    },
  ]);
});

test("a backend without servers has a header and no rows", () => {
  expect(readServerStates(`1\n${stateHeader}`)).toEqual([]);
});

test.each([
  ["1"],
  [`2\n${stateHeader}`],
  [`1\n${stateHeader}\n3 app 2 web2 127.0.0.1 2 8 1`],
  [`1\n${stateHeader}\n3 app 2 web2 127.0.0.1 x 8 1 1 13 15 3 3 6 0 0 0 - 18482 - 0 0 - - 0`],
  ["1\n# be_id be_name srv_id\n3 app 2"],
])("server states that are cut or of another format are not guessed at: %j", (answer) => {
  expect(kindOf(() => readServerStates(answer))).toBe("not understood");
});

const statHeader =
  "# pxname,svname,qcur,scur,stot,econ,eresp,wretr,wredis,status,act,bck,tracked,rate,check_status,hrsp_5xx,last_chk,check_rise,check_fall,check_health,";

test("what an app says to a check moves no cursor, and writes no second line", () => {
  const row =
    'app,web1,1,2,30,4,1,5,1,DOWN,1,0,,7,* L7STS,8,"\u001b]0;mine\u0007\u001b[2Jgone\nweb2 UP",2,3,4,';
  expect(readServerRows(`${statHeader}\n${row}`)).toMatchObject([
    { lastCheck: "L7STS ]0;mine\ufffd[2Jgone\ufffdweb2 UP" },
  ]);
});

test("a server's row of show stat is read by the names in the header", () => {
  const row = 'app,web1,1,2,30,4,1,5,1,UP 1/2,1,0,,7,* L7STS,8,"Bad, ""stuff""; x",2,3,4,';
  expect(readActivity(`${statHeader}\n${row}`)).toEqual([
    {
      backend: "app",
      server: "web1",
      status: "UP 1/2",
      sessions: 2,
      queued: 1,
      total: 30,
      retried: 10,
      health: { now: 4, full: 4, fall: 3 },
    },
  ]);
  expect(readServerRows(`${statHeader}\n${row}`)).toEqual([
    {
      backend: "app",
      server: "web1",
      status: "UP 1/2",
      backup: false,
      sessions: 2,
      traffic: { perSecond: 7, errors: 13 },
      tracks: "",
      lastCheck: 'L7STS Bad, "stuff"; x',
    },
  ]);
});

test("a server without checks, or in maint, has no health", () => {
  const [seen] = readActivity(`${statHeader}\napp,web1,0,0,0,0,0,0,0,MAINT,1,0,,,,,,,,,`);
  expect(seen).toMatchObject({ status: "MAINT", health: undefined });
});

test("a header alone means that there is no such row", () => {
  expect(readActivity(statHeader)).toEqual([]);
});

test.each([
  ["a row that ends early", `${statHeader}\napp,web1,1,2,30`],
  ["a row that lacks its last field", `${statHeader}\napp,web1,1,2,30,4,1,5,1,UP,1,0,,7,L7OK,8,x,2,3,4`],
  ["a row that ends in quotes", `${statHeader}\napp,web1,1,2,30,4,1,5,1,UP,1,0,,7,L7STS,8,"Bad`],
  ["a count that is none", `${statHeader}\napp,web1,1,,30,4,1,5,1,UP,1,0,,7,L7OK,8,x,2,3,4,`],
  ["a header without what is needed", "# pxname,svname,\napp,web1,"],
  ["no header", "app,web1,1"],
])("%s is not guessed at", (_, answer) => {
  expect(kindOf(() => readActivity(answer))).toBe("not understood");
});

test("a backend's row says how many servers can be used", () => {
  expect(readBackends("# pxname,svname,act,bck,\napp,BACKEND,2,1,")).toEqual([
    { backend: "app", serving: 2, backups: 1 },
  ]);
});

const quoted = (value: string): string =>
  /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;

test("any CSV that HAProxy could write is read as it was meant", () => {
  const field = fc.string({ unit: fc.constantFrom("a", "7", '"', ",", "\n", " ", ";", "é") });
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 2 }), { minLength: 1 }), (records) => {
      const text = records.map((record) => record.map(quoted).join(",")).join("\n");
      expect(csvRecords(text)).toEqual(records);
      expect(csvRecords(`${text}\n`)).toEqual(records);
    }),
  );
});

test("CSV that ends inside quotes is not read", () => {
  expect(csvRecords('a,"b')).toBeUndefined();
  expect(csvRecords('a,"b"c')).toBeUndefined();
});
