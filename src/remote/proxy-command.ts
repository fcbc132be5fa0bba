import { spawn } from "node:child_process";
import { Duplex } from "node:stream";

/**
 * The stream of a ProxyCommand, which ssh(1) too gives to a shell (ssh_config(5)). What it prints on stderr is not ours.
 * Its end ends the command, and the other way round.
 */
export function runProxyCommand(command: string): Duplex {
  const child = spawn("/bin/sh", ["-c", `exec ${command}`], { stdio: ["pipe", "pipe", "ignore"] });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  stream.once("close", () => child.kill());
  child.once("error", (error) => stream.destroy(error));
  child.stdin.on("error", () => {}); // it has ended: reading tells
  return stream;
}
