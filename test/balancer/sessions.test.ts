import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerError } from "../../src/balancer/answers.ts";
import {
  filtersSessions,
  readSessions,
  showSessions,
  shutdownSession,
  shutdownSessions,
} from "../../src/balancer/sessions.ts";

/** As the real ones said it, each with a WebSocket's or a slow request's line and that of the question itself. */
const from26 = `0x55d77b8fff20: proto=tcpv4 src=127.0.0.1:43734 fe=f be=sticky srv=web1 ts=00 epoch=0 age=1m13s calls=3 rate=1 cpu=0 lat=0 rq[f=49c40000h,i=0,an=8000h,rx=,wx=,ax=] rp[f=80400000h,i=0,an=1400000h,rx=57s,wx=,ax=] scf=[8,80h,fd=19] scb=[8,11h,fd=17] exp=57s rc=0 c_exp=
0x55d77ba23a50: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=1 cpu=0 lat=0 rq[f=c08002h,i=0,an=00h,rx=10s,wx=,ax=] rp[f=80008002h,i=0,an=00h,rx=,wx=,ax=] scf=[8,0h,fd=23] scb=[8,1h,fd=-1] exp=9s rc=0 c_exp=`;
const from32 = `0x7f219652ec00: proto=tcpv4 src=127.0.0.1:40592 fe=t be=tcpb srv=web1 ts=00 epoch=0 age=23s calls=3 rate=0 cpu=0 lat=0 rq[f=808000h,i=0,an=00h,ax=] rp[f=80008000h,i=0,an=00h,ax=] scf=[8,0h,fd=20,rex=59m36s,wex=] scb=[8,1h,fd=21,rex=59m36s,wex=] exp=59m36s rc=0 c_exp=`;

test("sessions are read from HAProxy 2.6's answer and from 3.2's, without HAProxy's own", () => {
  expect(readSessions(from26)).toEqual([
    { id: "0x55d77b8fff20", client: "127.0.0.1:43734", backend: "sticky", server: "web1", age: 73_000 },
  ]);
  expect(readSessions(from32)).toEqual([
    { id: "0x7f219652ec00", client: "127.0.0.1:40592", backend: "tcpb", server: "web1", age: 23_000 },
  ]);
  expect(readSessions("")).toEqual([]);
});

const withSource = (source: string, age = "3s"): string =>
  `0x1: proto=tcpv6 src=${source} fe=f be=app srv=web1 ts=00 age=${age}`;

test("an IPv6 client gets its brackets, and an age in days and hours is understood", () => {
  expect(readSessions(withSource("2001:db8::1:53122", "2d5h"))).toMatchObject([
    { client: "[2001:db8::1]:53122", age: 53 * 3_600_000 },
  ]);
});

test("what a client's address is not made of does not reach a terminal", () => {
  const [session] = readSessions(withSource("\u001B[31m10.0.0.7\u0007:1"));
  expect(session?.client).toBe("??31m10.0.0.7?:1");
  expect(readSessions(withSource("x".repeat(500)))[0]?.client).toHaveLength(80);
});

test("a refusal, and what is no list of sessions, is an error", () => {
  const kindOf = (frame: string): string => {
    try {
      readSessions(frame);
    } catch (thrown) {
      if (thrown instanceof AnswerError) return thrown.kind;
      throw thrown;
    }
    return "";
  };
  expect(kindOf("Permission denied")).toBe("permission denied");
  expect(kindOf("Unknown command: 'show sess'")).toBe("not understood");
  expect(kindOf(`${from26}\nwhat is this`)).toBe("not understood");
});

test("whatever comes, only sessions with an id that can be ended come out, in time", () => {
  const word = fc.constantFrom("src=a:1", "be=app", "srv=web1", "age=3s", "0x1f:", "0x;x:", "", "\u001B");
  const line = fc.array(word, { maxLength: 300 }).map((words) => words.join(" "));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      try {
        for (const { id } of readSessions(lines.join("\n"))) shutdownSession(id);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(AnswerError);
      }
    }),
  );
});

test("commands about sessions are one line, and nothing can be slipped into them", () => {
  const at = { backend: "app", server: "web1" };
  expect(showSessions().line).toBe("show sess");
  expect(showSessions(at).line).toBe("show sess server app/web1");
  expect(shutdownSessions(at).line).toBe("shutdown sessions server app/web1");
  expect(shutdownSession("0x55d77b8fff20").line).toBe("shutdown session 0x55d77b8fff20");
  expect(() => shutdownSession("0x1;clear counters all")).toThrow(RangeError);
  expect(() => shutdownSessions({ ...at, server: "web1;x" })).toThrow(RangeError);
});

test("a session that ended by itself is as good as one that was ended", () => {
  const ending = shutdownSession("0x1");
  ending.read("");
  ending.read("No such session (use 'show sess').");
  expect(() => ending.read("Permission denied")).toThrow(AnswerError);
});

test("sessions of one server can be asked for from HAProxy 3.2 on", () => {
  expect(["2.6.12-1+deb12u3", "3.0.11", "3.2.26-1", "3.10-dev1", "4.0"].map(filtersSessions)).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(filtersSessions("unknown")).toBe(false);
});
