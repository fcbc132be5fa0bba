// scripts/engines.js VERSION: fails when a package that is installed does not run on this version of Node.js.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const semver = require("semver");
const [version = ""] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));

const refusing = Object.entries(packages).filter(
  ([path, { engines, optional }]) =>
    path && engines?.node && !optional && !semver.satisfies(version, engines.node),
);
for (const [path, { engines }] of refusing) console.error(`${path} wants node ${engines.node}`);
process.exitCode = refusing.length > 0 ? 1 : 0;
