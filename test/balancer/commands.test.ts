import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  checkName,
  setHealthDown,
  setState,
  showBackends,
  showCliLevel,
  showInfo,
  showServer,
  showServers,
  showServersState,
} from "../../src/balancer/commands.ts";

const at = { backend: "be_app", server: "web-1.example:8000" };

test("commands are the lines that HAProxy's guide gives", () => {
  const lines = [
    setState(at, "drain"),
    setHealthDown(at),
    showServersState(),
    showServersState("app"),
    showServers(),
    showServers(3),
    showBackends(),
    showBackends(3),
    showServer(3, 12),
    showInfo(),
    showCliLevel(),
  ].map((command) => command.line);
  expect(lines).toEqual([
    "set server be_app/web-1.example:8000 state drain",
    "set server be_app/web-1.example:8000 health down",
    "show servers state",
    "show servers state app",
    "show stat -1 4 -1",
    "show stat 3 4 -1",
    "show stat -1 2 -1",
    "show stat 3 2 -1",
    "show stat 3 4 12",
    "show info",
    "show cli level",
  ]);
});

test.each(["", "web 1", "web1;show info", "web1\nshow info", "web1\r", "web1\\", "<<", "a/b", "wéb1", "\0"])(
  "the name %j is refused, wherever it stands",
  (name) => {
    expect(() => checkName(name)).toThrow(RangeError);
    expect(() => setState({ backend: name, server: "web1" }, "drain")).toThrow(
      "not a name that HAProxy allows",
    );
    expect(() => setState({ backend: "app", server: name }, "drain")).toThrow(RangeError);
    expect(() => setHealthDown({ backend: "app", server: name })).toThrow(RangeError);
    expect(() => showServersState(name)).toThrow(RangeError);
  },
);

test("any name with a character that HAProxy forbids is refused, and any other is sent as it is", () => {
  const allowed = fc.string({
    unit: fc.constantFrom("a", "z", "A", "Z", "0", "9", "_", ".", ":", "-"),
    minLength: 1,
    maxLength: 40,
  });
  const forbidden = fc
    .nat({ max: 0xffff })
    .map((code) => String.fromCharCode(code))
    .filter((character) => !/[\w.:-]/.test(character));
  fc.assert(
    fc.property(allowed, forbidden, allowed, (before, bad, after) => {
      expect(checkName(before + after)).toBe(before + after);
      expect(() => checkName(before + bad + after)).toThrow(RangeError);
      expect(() => checkName(before + bad)).toThrow(RangeError);
    }),
  );
});

test("only whole numbers are sent as numbers", () => {
  for (const id of [-1, 1.5, Number.NaN, Infinity]) {
    expect(() => showServer(3, id)).toThrow(RangeError);
    expect(() => showServers(id)).toThrow(RangeError);
    expect(() => showBackends(id)).toThrow(RangeError);
  }
});
