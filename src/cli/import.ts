import { RotaError } from "../base/errors.ts";
import { sketchFromAnsible } from "../drafting/ansible/from-ansible.ts";
import { loadAnsible } from "../drafting/ansible/load.ts";
import { badVariable, shown, variablePattern } from "../inventory/names.ts";
import { type DraftArgs, fleetName, give } from "./draft.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";

export interface ImportArgs extends DraftArgs {
  format: string;
  file: string;
  group: string[];
  var: string[];
}

/** An inventory from one of another program's. Reads files, runs nothing. */
export function importFrom(args: ImportArgs, io: Io): ExitCode {
  if (args.format !== "ansible") {
    throw new RotaError("USAGE", {
      problem: `rota import ${shown(args.format)}: only ansible is known`,
      left: untouched,
      next: "rota import ansible FILE",
    });
  }
  for (const name of args.var) {
    if (variablePattern.test(name)) continue;
    throw new RotaError("USAGE", {
      problem: `--var: ${badVariable(name)}`,
      left: untouched,
      next: "--var http_port",
    });
  }
  const fleet = fleetName(args, io);
  const loaded = loadAnsible(args.file, io.cwd);
  give(sketchFromAnsible(loaded, { fleet, file: args.file, groups: args.group, vars: args.var }), args, io);
  return Exit.ok;
}
