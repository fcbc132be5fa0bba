import { unescape } from "node:querystring";
import { RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import { type Redact, redactor, shortestSecret } from "../base/redact.ts";
import { fit } from "../board/width.ts";
import type { Fleet, Node, Pool, Variable } from "../inventory/fleet.ts";
import type { Restart } from "../inventory/fleet-restart.ts";
import { secretsOfNotices } from "../notices/secrets.ts";
import { ownPlaceholders, placeholdersIn } from "../inventory/placeholders.ts";
import type { Io } from "./io.ts";

export interface Variables {
  variables: Record<string, string>;
  secrets: string[];
}

/**
 * What reaches a node's commands and check: its own variables, then --set, then rota's.
 *
 * @throws RotaError USAGE for a variable of rota's own environment that is not set, or a secret too short to hide
 */
export function variablesOf(
  node: Node,
  set: Record<string, string>,
  fleet: string,
  env: Io["env"],
): Variables {
  const own = Object.entries(node.vars).map(([name, variable]) => ({
    name,
    variable,
    value: valueOf(node, name, variable, env),
  }));
  return {
    secrets: own.flatMap(({ variable, value }) =>
      "env" in variable && variable.secret ? secretsIn(variable.env, value) : [],
    ),
    variables: {
      ...Object.fromEntries(own.map(({ name, value }) => [name, value])),
      ...set,
      ROTA_NODE: node.name,
      ROTA_FLEET: fleet,
    },
  };
}

function valueOf(node: Node, name: string, variable: Variable, env: Io["env"]): string {
  if ("value" in variable) return variable.value;
  const value = Object.hasOwn(env, variable.env) ? env[variable.env] : undefined;
  if (value !== undefined) return value;
  throw new RotaError("USAGE", {
    problem: `${node.name} needs ${name} from $${variable.env}, which is not set`,
    left: "nothing was touched",
    next: `export ${variable.env}=…, then the same again`,
  });
}

/** Output comes line by line: each line of a secret of several lines is hidden too. */
function secretsIn(name: string, value: string): string[] {
  if (value.length < shortestSecret) {
    throw new RotaError("USAGE", {
      problem: `the secret $${name} is shorter than ${shortestSecret} characters: it could not be hidden`,
      left: "nothing was touched",
    });
  }
  return [value, ...value.split("\n").filter((line) => line.length >= shortestSecret)];
}

/** Every secret that these nodes could be given, and rota's own: nothing that is shown or stored may hold one. */
export const secretsOf = (nodes: Node[], env: Io["env"]): string[] => [
  ...nodes.flatMap(({ vars }) =>
    Object.values(vars).flatMap((variable) => {
      if (!("env" in variable && variable.secret)) return [];
      const value = Object.hasOwn(env, variable.env) ? env[variable.env] : undefined;
      return value === undefined || value.length < shortestSecret ? [] : secretsIn(variable.env, value);
    }),
  ),
  ...[env["ROTA_SUDO_PASSWORD"], passwordIn(env["ROTA_JOURNAL"])].flatMap((secret) =>
    secret !== undefined && secret.length >= shortestSecret ? [secret] : [],
  ),
];

/** For all that a run shows and stores: a hook here has rota's whole environment, also what other nodes are given. */
export const redactorOf = (fleet: Told, env: Io["env"]): Redact => redactor(secretsOfFleet(fleet, env));

type Told = Pick<Fleet, "pools" | "notices">;

const secretsOfFleet = ({ pools, notices }: Told, env: Io["env"]): string[] => [
  ...secretsOf(
    pools.flatMap(({ nodes }) => nodes),
    env,
  ),
  ...secretsOfNotices(notices, env),
];

const passwordIn = (journal: string | undefined): string | undefined =>
  journal !== undefined && URL.canParse(journal)
    ? unescape(new URL(journal).password) || undefined
    : undefined;

const longestReason = 500;

/** What was given with --reason, as it may be shown and stored: one line, of at most 500 characters. */
export function reasonOf(given: string | undefined, fleet: Fleet, env: Io["env"]): string | undefined {
  if (given === undefined) return undefined;
  const line = printable(redactorOf(fleet, env)(given).replaceAll(/\s+/g, " ").trim());
  return fit(line, longestReason) || undefined;
}

/** @throws RotaError USAGE for a value of --set that holds a secret: stored, it would be lost for a resume */
export function refuseSecrets(set: Record<string, string>, fleet: Fleet, env: Io["env"]): void {
  const secrets = secretsOfFleet(fleet, env);
  const [key] =
    Object.entries(set).find(([, value]) => secrets.some((secret) => value.includes(secret))) ?? [];
  if (key === undefined) return;
  throw new RotaError("USAGE", {
    problem: `the value of --set ${key} holds a secret of the inventory`,
    left: "nothing was touched",
    next: `name it in vars: ${key}: { env: ${key}, secret: true }`,
  });
}

/** @throws RotaError USAGE where a deploy was not given what a pool says it needs */
export function checkNeeds(fleet: Fleet, nodes: Node[], set: Record<string, string>): void {
  const pools = fleet.pools.filter((pool) => pool.nodes.some((node) => nodes.includes(node)));
  const missing = pools.flatMap(({ name, needs }) =>
    needs
      .filter((need) => !Object.hasOwn(set, need) || set[need] === "")
      .map((need) => ({ pool: name, need })),
  );
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(({ need }) => need))];
  throw new RotaError("USAGE", {
    problem: `${missing.map(({ pool, need }) => `${pool} needs ${need}`).join("; ")}, as ${fleet.file} says`,
    left: "nothing was touched",
    next: `the same with ${setWords(names)}`,
  });
}

/** What of a restart may hold a {NAME}. */
function textsOf(restart: Restart): string[] {
  if (restart.via === "gunicorn") return [restart.pidfile];
  if (restart.via === "uwsgi") return [restart.stats, restart.fifo ?? "", restart.touch ?? ""];
  if (restart.via !== "command" || !restart.proof) return [];
  return "pidfile" in restart.proof ? [restart.proof.pidfile] : [restart.proof.is ?? ""];
}

/** What the check and the restart of a pool ask for, and is not among the names that are known. */
export function valuesMissing(
  { check, restart, statusPage: page }: Pool,
  names: Iterable<string>,
  asked: "whole check" | "only its url",
): string[] {
  const known = new Set([...names, ...ownPlaceholders]);
  const posts = page ? [page.out, page.in].map((act) => ("post" in act ? act.post : "")) : [];
  const whole = asked === "whole check" ? [check.body ?? "", ...textsOf(restart)] : [];
  return placeholdersIn([check.url, ...whole, ...posts].join(" ")).filter((name) => !known.has(name));
}

/** `--set NAME=…` for each. */
export const setWords = (names: Iterable<string>): string =>
  [...names].map((name) => `--set ${name}=…`).join(" ");

/**
 * @param advice what to type next, of the names that lack
 * @throws RotaError USAGE where the check asks for a value that nobody gave
 */
export function checkTemplates(
  pool: Pool,
  node: Node,
  variables: Record<string, string>,
  asked: "whole check" | "only its url",
  advice: (missing: string[]) => string,
): void {
  const missing = valuesMissing(pool, Object.keys(variables), asked);
  if (missing.length === 0) return;
  throw new RotaError("USAGE", {
    problem: `the check of ${node.name} asks for ${missing.join(", ")}, and no earlier deploy that gave it is in the journal`,
    left: "nothing was touched",
    next: advice(missing),
  });
}
