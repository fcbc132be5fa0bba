/** Who is told of runs; and that no fault shows what may be a secret. */
import { expect, test } from "vitest";
import { faultsIn, fleetOf, withPool } from "./files.ts";

const fleetWith = (notices: string): string => `notices:\n${notices}\n${withPool("")}`;

test("webhooks and commands, with what is not said filled in", () => {
  const fleet = fleetOf(
    fleetWith(
      "  - { webhook: { env: SLACK_URL }, form: slack, on: [end] }\n  - { webhook: 'https://h.example.net/x', secret: { env: KEY } }\n  - run: ./notify",
    ),
  );
  const on = ["start", "failure", "end"];
  expect(fleet.notices).toEqual([
    { webhook: { env: "SLACK_URL" }, form: "slack", on: ["end"] },
    { webhook: "https://h.example.net/x", form: "rota", secret: { env: "KEY" }, on },
    { run: "./notify", form: "rota", on },
  ]);
  expect(fleetOf(withPool("")).notices).toEqual([]);
});

const oneOf = "notices.0: needs one of webhook and run, and not both";
const url = "is not a URL that begins with https:// or http:// (not shown here: it may be a secret)";

test.each([
  ["  - 'https://h.example.net/T0KEN'", "2:5 notices.0: write { webhook: https://… } or { run: ./command }"],
  ["  - webhook: h.example.net/T0KEN", `2:14 notices.0.webhook: ${url}`],
  ["  - webhook: 'https://h.example.net/a T0KEN'", `2:14 notices.0.webhook: ${url}`],
  ["  - webhook: 'https://[T0KEN'", `2:14 notices.0.webhook: ${url}`],
  ["  - webhook: [https://h.example.net/T0KEN]", "2:14 notices.0.webhook: write a URL, or { env: NAME }"],
  ["  - { on: [end] }", `2:5 ${oneOf}`],
  ["  - { run: ./a, webhook: 'https://h.example.net/T0KEN' }", `2:5 ${oneOf}`],
  [
    "  - { run: ./a, form: slack }",
    "2:5 notices.0: form and secret are for a webhook; a command is given ROTA_TEXT and ROTA_NOTICE_JSON",
  ],
  [
    "  - { run: ./a, on: [begin] }",
    '2:22 notices.0.on.0: "begin" is not accepted here; write start, failure or end',
  ],
  ["  - { run: ./a, on: [end, end] }", "2:21 notices.0.on: names one of them twice"],
  [
    "  - { webhook: 'https://h.example.net/T0KEN', secret: T0KEN }",
    "2:55 notices.0.secret: write { env: NAME }: a secret is not in the file",
  ],
  [
    "  - { webhok: 'https://h.example.net/T0KEN' }",
    '2:7 notices.0: unknown key "webhok"; did you mean "webhook"?',
  ],
])("%s", (notices, fault) => {
  const told = faultsIn(fleetWith(notices)).join("\n");
  expect(told).toContain(fault);
  expect(told).not.toContain("T0KEN");
});
