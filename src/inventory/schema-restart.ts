/** How an app may be restarted, as an inventory says it. */
import * as z from "zod";
import { shown } from "./names.ts";
import { duration, filled } from "./schema-parts.ts";

const pidfile = filled.describe(
  "The process named in it must be another one afterwards. {node}, and the like, is filled in as in check.url.",
);

const field = z
  .string()
  .regex(/^[\w-]+(\.[\w-]+)*$/, {
    error: ({ input }) => `${shown(input)} is not a field of JSON; write pid, or app.started`,
  })
  .describe("A field of the JSON that check.url answers with: pid, app.started.");

const proof = z
  .union(
    [
      z.strictObject({ pidfile }),
      z.strictObject({
        field,
        is: filled
          .optional()
          .describe(
            'What the field must say afterwards: "{RELEASE}". Absent: something else than before the restart.',
          ),
      }),
    ],
    { error: "write { pidfile: /run/my_app.pid }, { field: pid } or { field: version, is: '{RELEASE}' }" },
  )
  .optional()
  .describe("What shows that the app was restarted, besides exit code 0.");

const byCommand = z.strictObject({
  via: z.literal("command").describe("By a command of yours."),
  run: filled.describe("Run as /bin/sh -eu in the login folder. Variables are in the environment."),
  proof,
});

const bySystemd = z.strictObject({
  via: z
    .literal("systemd")
    .describe(
      "systemctl restart, proven by a new main process and a new invocation of the unit, which must be active. Mostly needs ssh.sudo.",
    ),
  unit: z
    .string()
    .regex(/^[A-Za-z0-9:_.@][A-Za-z0-9:_.@\\-]*$/, {
      error: ({ input }) => `${shown(input)} is not a unit's name; write my_app, or my_app@1.service`,
    })
    .describe("The service's unit; .service may be left out."),
});

const byGunicorn = z.strictObject({
  via: z
    .literal("gunicorn")
    .describe("A gunicorn master that no systemd looks after, asked by signals; needs its user, or root."),
  pidfile: filled.describe("gunicorn's --pid file. {node}, and the like, is filled in as in check.url."),
  how: z
    .enum(["restart", "hup", "workers"])
    .default("restart")
    .describe(
      "restart: a second master loads the app (USR2); the first one is ended when the other's workers are ready. A release that does not boot leaves the first one running. workers: the master stays, and its workers are replaced one by one; needs the hook of docs/gunicorn.md. hup: all at once by SIGHUP, proven in the same way.",
    ),
  surge: z.int().min(1).max(1_000).default(1).describe("how: workers: so many are replaced at once."),
  boot_within: duration.default("120s").describe("How long a new worker may take to boot."),
  notice: z
    .enum(["state", "udp", "none"])
    .default("state")
    .describe(
      "how: workers: what shows that a worker is ready. state: the hook's own word; udp: the classic datagram to port 4012; none: that it is in its loop.",
    ),
});

const byUwsgi = z.strictObject({
  via: z
    .literal("uwsgi")
    .describe(
      "A uWSGI master, by its stats server and its fifo; needs its user, or root where it has uid =.",
    ),
  stats: filled.describe(
    "uWSGI's stats: the path of a unix socket, or HOST:PORT. {node}, and the like, is filled in as in check.url.",
  ),
  fifo: filled.optional().describe("uWSGI's master-fifo. Needed for chain, reload and spare."),
  touch: filled.optional().describe("how: chain: uWSGI's touch-chain-reload, instead of fifo."),
  how: z
    .enum(["workers", "chain", "reload"])
    .default("workers")
    .describe(
      "workers: one after the other is told to end (HUP) once the one before has proven itself; can stop after any. chain: uWSGI's own chain reload, watched; it can't be stopped. reload: as a whole; nobody serves for as long as a boot takes, and one worker tries the release before. All need the guard of docs/uwsgi.md.",
    ),
  spare: z
    .boolean()
    .default(false)
    .describe(
      "how: workers: refused where uWSGI keeps no place free for a spare worker (processes above cheaper, cheaper-algo = manual). With fifo, one that is free is used anyway, and no fewer workers serve than before.",
    ),
  boot_within: duration.default("120s").describe("How long a new worker may take to boot."),
  notice: z
    .enum(["state", "none"])
    .default("state")
    .describe(
      "What shows that a worker is ready. state: the guard's own word; none: the stats server alone, which is weaker.",
    ),
});

const none = z.strictObject({
  via: z.literal("none").describe("Nothing is restarted: the app takes the upgrade by itself."),
});

export const restart = z.discriminatedUnion("via", [byCommand, bySystemd, byGunicorn, byUwsgi, none], {
  error: ({ input }) => {
    if (typeof input !== "object" || input === null) return undefined;
    const via = "via" in input ? `${shown(input.via)} is not accepted here` : "is missing";
    return `${via}; write command, systemd, gunicorn, uwsgi or none`;
  },
});
