/** How balancers and hosts are reached, as an inventory says it. */
import * as z from "zod";
import { shown } from "./names.ts";
import { filled, port } from "./schema-parts.ts";
import { parseAddress, parseSocket, parseSshHost, userPattern } from "./socket.ts";

const sockets = [
  "unix:/run/haproxy/admin.sock",
  "tcp://10.0.0.2:9999",
  "ssh://deploy@lb3.example.net/run/haproxy/admin.sock",
];

const masters = ["unix:/run/haproxy-master.sock", "ssh://lb3.example.net/run/haproxy-master.sock"];

const notASocket = (input: unknown): string =>
  `${shown(input)} is not a socket's address; write unix:/run/haproxy/admin.sock, tcp://10.0.0.2:9999 or ssh://lb3.example.net/run/haproxy/admin.sock`;

const socket = z
  .string()
  .refine((text) => parseSocket(text) !== undefined, { error: ({ input }) => notASocket(input) })
  .meta({ pattern: "^(unix:/|tcp://|ssh://)", examples: sockets });

const statsPageOrSocket = z
  .string()
  .refine((text) => parseAddress(text) !== undefined, {
    error: ({ input }) =>
      /^https?:/.test(String(input))
        ? `${shown(input)} is not a statistics page; write http://lb1.example.net:8404/stats, without a password or ;csv`
        : notASocket(input),
  })
  .meta({
    pattern: "^(unix:/|tcp://|ssh://|https?://)",
    examples: [...sockets, "http://10.0.0.2:8404/stats"],
  });

const identity = filled.describe(
  "A private key file. A relative path starts at this file's folder. Absent: those of ~/.ssh/config and the agent at $SSH_AUTH_SOCK, as ssh tries them.",
);
const knownHosts = filled.describe("The known_hosts file. A host whose key is not in it is not talked to.");

const user = z.string().regex(userPattern, {
  error: ({ input }) => `${shown(input)} is not a user's name`,
});

const jump = z
  .string()
  .refine((text) => parseSshHost(text) !== undefined, {
    error: ({ input }) =>
      `${shown(input)} is not an SSH host; write bastion.example.net or ada@bastion.example.net:2222`,
  })
  .meta({ examples: ["bastion.example.net"] });

const jumpOrNone = z.union([jump, z.literal(false)], {
  error: "write bastion.example.net, or false for no jump host",
});

const ownJump = jumpOrNone
  .optional()
  .describe("A host to go through instead of the one in ssh.jump, [user@]host[:port]; false: none.");

const sudo = z.union([z.boolean(), z.literal("password")], {
  error: "write true, false, or password for a sudo that asks for one",
});

export const balancer = z.union(
  [
    statsPageOrSocket,
    z.strictObject({
      socket: socket.describe("The runtime socket."),
      master: socket
        .meta({ examples: masters })
        .optional()
        .describe(
          "The socket of HAProxy's master process (haproxy -W -S …; Debian's service has it). With it, requests that old workers still have after a reload are waited for.",
        ),
      jump: ownJump,
    }),
  ],
  {
    error:
      "has no socket; write unix:/run/haproxy/admin.sock, or { socket: unix:/run/haproxy/admin.sock, master: unix:/run/haproxy-master.sock }",
  },
);

export const ssh = z.strictObject({
  user: user
    .optional()
    .describe("Who to log in as. Absent: that of ~/.ssh/config, else the user who runs rota."),
  port: port.optional().describe("The port of sshd. Absent: that of ~/.ssh/config, else 22."),
  identity: identity.optional(),
  known_hosts: knownHosts
    .optional()
    .describe(
      "The known_hosts file. A host whose key is not in it is not talked to. Absent: those of ~/.ssh/config, else ~/.ssh/known_hosts.",
    ),
  sudo: sudo
    .default(false)
    .describe(
      "true: the nodes' commands run as root, by sudo without a password. password: by one that is asked for once, or taken from $ROTA_SUDO_PASSWORD.",
    ),
  jump: jumpOrNone
    .optional()
    .describe(
      "A host to go through, [user@]host[:port]: logged in to with the same key, its own host key looked up in the same known_hosts. Absent: the ProxyJump of ~/.ssh/config, if any; for none, false.",
    ),
});

export const nodeSsh = z.strictObject({
  user: user.optional().describe("Who to log in as."),
  port: port.optional().describe("The port of sshd."),
  identity: identity.optional(),
  known_hosts: knownHosts.optional(),
  sudo: sudo.optional().describe("Whether this node's commands run as root."),
  jump: ownJump,
});
