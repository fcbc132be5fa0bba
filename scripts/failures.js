// What failed in a report of vitest's, each with its message: for the end of scripts/test, where it is looked for.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const { name, message, assertionResults } of testResults) {
  const file = relative(".", name);
  const failed = assertionResults.filter(({ status }) => status === "failed");
  for (const { fullName, failureMessages } of failed)
    tell(`${file}: ${fullName}`, failureMessages.join("\n"));
  // A file that can't be loaded has no tests.
  if (message && failed.length === 0) tell(file, message);
}

/** @param {string} what @param {string} why */
function tell(what, why) {
  console.log(`FAIL  ${what}`);
  for (const line of why.split("\n").slice(0, 20)) console.log(`      ${line}`);
}
