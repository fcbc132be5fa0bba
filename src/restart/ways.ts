/** How each kind of app is restarted, as scripts for its host; and what proves it. Nothing here acts. */
import type { Pool } from "../inventory/fleet.ts";
import { fill } from "../inventory/placeholders.ts";
import type { RestartProof, RestartWay } from "../rotation/restart-way.ts";
import { byGunicorn } from "./gunicorn.ts";
import { fieldProof } from "./field.ts";
import { pidfileProof } from "./pidfile.ts";
import { bySystemd } from "./systemd.ts";
import { byUwsgi } from "./uwsgi.ts";

/** @param values What {NAME} in the pool's texts stands for. */
export function restartWay({ restart }: Pick<Pool, "restart">, values: Record<string, string>): RestartWay {
  switch (restart.via) {
    case "command":
      return { act: { run: restart.run }, proof: proofOf(restart.proof, values) };
    case "systemd":
      return bySystemd(restart.unit);
    case "gunicorn":
      return byGunicorn({ ...restart, pidfile: fill(restart.pidfile, values) });
    case "uwsgi":
      return byUwsgi({
        ...restart,
        stats: fill(restart.stats, values),
        fifo: restart.fifo && fill(restart.fifo, values),
        touch: restart.touch && fill(restart.touch, values),
      });
    case "none":
      return {};
  }
}

type Command = Extract<Pool["restart"], { via: "command" }>;

function proofOf(proof: Command["proof"], values: Record<string, string>): RestartProof | undefined {
  if (proof === undefined) return undefined;
  if ("pidfile" in proof) return pidfileProof(fill(proof.pidfile, values));
  return fieldProof(proof.field, proof.is === undefined ? undefined : fill(proof.is, values));
}
