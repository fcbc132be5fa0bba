import type { Migration } from "kysely";

/** Times are ISO 8601 in UTC; JSON is text, so that SQLite and other databases hold the same. */
export interface Tables {
  runs: {
    id: string;
    fleet: string;
    command: string;
    by: string;
    reason: string | null;
    /** JSON: the values of --set, secrets redacted. */
    set: string;
    /** JSON: names of the nodes that take part, in order. */
    nodes: string;
    /** JSON: what its command was given, secrets redacted; a resume goes by it. */
    args: string;
    /** The run that this one undoes. */
    undoes: string | null;
    /** JSON: values of --set by node, where they are not `set` for all. */
    sets: string | null;
    /** Who asked it to start no other node. */
    paused: string | null;
    started: string;
    ended: string | null;
    /** null: unfinished. */
    outcome: string | null;
    message: string | null;
  };
  steps: {
    run: string;
    node: string;
    step: string;
    started: string;
    ended: string | null;
    /** null: begun, and nobody knows how it ended. */
    outcome: "done" | "failed" | null;
    why: string | null;
  };
  /** What a command printed, secrets redacted, in pieces. */
  outputs: { run: string; node: string; step: string; at: string; text: string };
  trips: { run: string; node: string; ended: string; outcome: string; why: string | null };
  /** Nodes that are out because of us. Written before they leave, removed after they were seen back. */
  absences: {
    fleet: string;
    node: string;
    kind: "hold" | "run";
    run: string;
    by: string;
    reason: string | null;
    since: string;
    until: string | null;
    /** JSON: how each place was found. */
    found: string;
  };
  /** Where the link of a node's releases led to; written before it is switched. */
  switches: {
    at: string;
    run: string;
    node: string;
    to: string;
    before: string | null;
    after: string;
  };
  /** What persons did that is no run of its own. */
  deeds: {
    at: string;
    deed: string;
    fleet: string | null;
    run: string | null;
    by: string;
    reason: string | null;
    what: string | null;
  };
  /** What a run under way sees at this moment, for those who only look on. */
  live: {
    run: string;
    /** JSON: what is waited for, by node. */
    seen: string;
  };
  /** Who may use the console. */
  tokens: {
    name: string;
    role: "viewer" | "operator";
    /** SHA-256 of the token, in hex: it has 256 random bits, so that nobody can guess it from that. */
    hash: string;
    created: string;
  };
  /** Who may change a fleet, until when; kept when it ended, for its epoch. */
  leases: {
    fleet: string;
    epoch: number;
    by: string;
    command: string;
    reason: string | null;
    host: string;
    pid: number;
    started: string;
    taken: string;
    /** Milliseconds since 1970, by the clock of the database; 0: given back. */
    expires: number;
  };
}

export const migrations: Record<string, Migration> = {
  "0001 runs, steps, trips and absences": {
    async up(db) {
      const { schema } = db;
      await schema
        .createTable("runs")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("fleet", "text", (c) => c.notNull())
        .addColumn("command", "text", (c) => c.notNull())
        .addColumn("by", "text", (c) => c.notNull())
        .addColumn("reason", "text")
        .addColumn("set", "text", (c) => c.notNull())
        .addColumn("nodes", "text", (c) => c.notNull())
        .addColumn("args", "text", (c) => c.notNull())
        .addColumn("paused", "text")
        .addColumn("started", "text", (c) => c.notNull())
        .addColumn("ended", "text")
        .addColumn("outcome", "text")
        .addColumn("message", "text")
        .execute();
      await schema
        .createTable("steps")
        .addColumn("run", "text", (c) => c.notNull().references("runs.id"))
        .addColumn("node", "text", (c) => c.notNull())
        .addColumn("step", "text", (c) => c.notNull())
        .addColumn("started", "text", (c) => c.notNull())
        .addColumn("ended", "text")
        .addColumn("outcome", "text")
        .addColumn("why", "text")
        .addPrimaryKeyConstraint("steps_key", ["run", "node", "step"])
        .execute();
      await schema
        .createTable("trips")
        .addColumn("run", "text", (c) => c.notNull().references("runs.id"))
        .addColumn("node", "text", (c) => c.notNull())
        .addColumn("ended", "text", (c) => c.notNull())
        .addColumn("outcome", "text", (c) => c.notNull())
        .addColumn("why", "text")
        .addPrimaryKeyConstraint("trips_key", ["run", "node"])
        .execute();
      await schema
        .createTable("outputs")
        .addColumn("run", "text", (c) => c.notNull().references("runs.id"))
        .addColumn("node", "text", (c) => c.notNull())
        .addColumn("step", "text", (c) => c.notNull())
        .addColumn("at", "text", (c) => c.notNull())
        .addColumn("text", "text", (c) => c.notNull())
        .execute();
      await schema.createIndex("outputs_by_run").on("outputs").columns(["run", "node"]).execute();
      await schema
        .createTable("absences")
        .addColumn("fleet", "text", (c) => c.notNull())
        .addColumn("node", "text", (c) => c.notNull())
        .addColumn("kind", "text", (c) => c.notNull())
        .addColumn("run", "text", (c) => c.notNull().references("runs.id"))
        .addColumn("by", "text", (c) => c.notNull())
        .addColumn("reason", "text")
        .addColumn("since", "text", (c) => c.notNull())
        .addColumn("until", "text")
        .addColumn("found", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("absences_key", ["fleet", "node"])
        .execute();
      await schema.createIndex("runs_by_fleet").on("runs").columns(["fleet", "started"]).execute();
    },
  },
  "0002 leases": {
    async up(db) {
      await db.schema
        .createTable("leases")
        .addColumn("fleet", "text", (c) => c.primaryKey())
        .addColumn("epoch", "integer", (c) => c.notNull())
        .addColumn("by", "text", (c) => c.notNull())
        .addColumn("command", "text", (c) => c.notNull())
        .addColumn("reason", "text")
        .addColumn("host", "text", (c) => c.notNull())
        .addColumn("pid", "integer", (c) => c.notNull())
        .addColumn("started", "text", (c) => c.notNull())
        .addColumn("taken", "text", (c) => c.notNull())
        .addColumn("expires", "double precision", (c) => c.notNull())
        .execute();
    },
  },
  "0003 deeds": {
    async up(db) {
      await db.schema
        .createTable("deeds")
        .addColumn("at", "text", (c) => c.notNull())
        .addColumn("deed", "text", (c) => c.notNull())
        .addColumn("fleet", "text")
        .addColumn("run", "text")
        .addColumn("by", "text", (c) => c.notNull())
        .addColumn("reason", "text")
        .addColumn("what", "text")
        .execute();
      await db.schema.createIndex("deeds_by_time").on("deeds").columns(["at"]).execute();
    },
  },
  "0004 switches": {
    async up(db) {
      await db.schema
        .createTable("switches")
        .addColumn("at", "text", (c) => c.notNull())
        .addColumn("run", "text", (c) => c.notNull().references("runs.id"))
        .addColumn("node", "text", (c) => c.notNull())
        .addColumn("to", "text", (c) => c.notNull())
        .addColumn("before", "text")
        .addColumn("after", "text", (c) => c.notNull())
        .execute();
      await db.schema.createIndex("switches_by_node").on("switches").columns(["node", "at"]).execute();
    },
  },
  "0005 rollbacks": {
    async up(db) {
      await db.schema.alterTable("runs").addColumn("undoes", "text").execute();
      await db.schema.alterTable("runs").addColumn("sets", "text").execute();
    },
  },
  "0006 what the console needs": {
    async up(db) {
      await db.schema
        .createTable("live")
        .addColumn("run", "text", (c) => c.primaryKey().references("runs.id"))
        .addColumn("seen", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("tokens")
        .addColumn("name", "text", (c) => c.primaryKey())
        .addColumn("role", "text", (c) => c.notNull())
        .addColumn("hash", "text", (c) => c.notNull().unique())
        .addColumn("created", "text", (c) => c.notNull())
        .execute();
    },
  },
};
