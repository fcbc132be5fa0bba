import { expect, test } from "vitest";
import { namePattern, releaseName, sayBytes } from "../../src/rotation/release/release.ts";

const file = { path: "/builds/my app.tar.gz", size: 1, sha256: "3f2a9c1b77de".padEnd(64, "0") };

test.each([
  ["42", "42-3f2a9c1b77de"],
  ["v1.2.3+build_7", "v1.2.3+build_7-3f2a9c1b77de"],
  ["feature/new login", "feature_new_login-3f2a9c1b77de"],
  ["../../etc", "etc-3f2a9c1b77de"],
  ["-rf", "rf-3f2a9c1b77de"],
  ["..", "release-3f2a9c1b77de"],
  ["$(reboot)\n", "reboot_-3f2a9c1b77de"],
  ["ü", "release-3f2a9c1b77de"],
  ["", "my_app-3f2a9c1b77de"],
  [undefined, "my_app-3f2a9c1b77de"],
])("a release called %j has a folder of the name %s", (called, name) => {
  expect(releaseName(called, file)).toBe(name);
  expect(name).toMatch(new RegExp(namePattern));
});

test("a name stays short, and other content has another one", () => {
  expect(releaseName("x".repeat(500), file).length).toBeLessThan(100);
  expect(releaseName("42", { ...file, sha256: "0".repeat(64) })).not.toBe(releaseName("42", file));
});

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1_500, "1.5 kB"],
  [20_000_000, "20 MB"],
  [999_600, "1 MB"],
  [1_234_000_000, "1.2 GB"],
])("%i bytes are told as %s", (bytes, said) => {
  expect(sayBytes(bytes)).toBe(said);
});
