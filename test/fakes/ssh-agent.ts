import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/** OpenSSH's own agent. */
export interface RealAgent extends AsyncDisposable {
  socket: string;
  /** Takes a key file that has no passphrase. */
  add(path: string): void;
}

export async function realAgent(socket: string): Promise<RealAgent> {
  const agent = spawn("ssh-agent", ["-D", "-a", socket]); // stays our child, so it is ended by its own id
  await once(agent.stdout, "data"); // says where it listens, once it does
  return {
    socket,
    add: (path) => {
      execFileSync("ssh-add", ["-q", path], { env: { SSH_AUTH_SOCK: socket, PATH: process.env["PATH"] } });
    },
    async [Symbol.asyncDispose]() {
      agent.kill();
      await once(agent, "exit");
    },
  };
}
