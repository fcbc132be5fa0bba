import { expect, test } from "vitest";
import { faultsIn, fleetOf, withPool } from "./files.ts";

const release = (text: string): string => withPool(`    release: ${text}\n`);

test("a release is resolved: its file beside the inventory, five kept", () => {
  const fleet = fleetOf(release('{ upload: "build-{node}.tar.gz", to: /srv/app }'));
  expect(fleet.pools[0]?.release).toEqual({
    upload: expect.stringMatching(/^\/.*\/build-\{node\}\.tar\.gz$/),
    to: "/srv/app",
    keep: 5,
  });
});

test.each([
  ["a relative folder", "{ upload: a.tar, to: app }", "must be an absolute path, as /srv/app"],
  ["a folder that goes up", "{ upload: a.tar, to: /srv/../etc }", "must not go up (..)"],
  ["the root", "{ upload: a.tar, to: // }", "must be a folder of the app's own"],
  ["an unknown value", '{ upload: "a-{RELAESE}.tar", to: /srv/app }', "{RELAESE} is not known here"],
  ["none to keep", "{ upload: a.tar, to: /srv/app, keep: 0 }", "keep"],
])("%s is a fault", (_, text, said) => {
  expect(faultsIn(release(text)).join("\n")).toContain(said);
});
