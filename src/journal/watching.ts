/** What those who look on need: what a run sees at this moment, and who may use the console. */
import type { Kysely } from "kysely";
import { printable } from "../base/quote.ts";
import type { Tables } from "./schema.ts";
import { readRole, readSeen } from "./stored.ts";

export type Role = "viewer" | "operator";

export interface TokenRecord {
  /** Whose it is. */
  name: string;
  role: Role;
  created: Date;
}

export interface Watching {
  /** What a run waits for, by node. Shown only: it needs no lease, and is gone when the run ends. */
  tellLive(run: string, seen: Record<string, string>): Promise<void>;
  endLive(run: string): Promise<void>;
  liveOf(run: string): Promise<Record<string, string>>;
  tokens(): Promise<TokenRecord[]>;
  /** @param hash of the token, in hex */
  tokenWith(hash: string): Promise<TokenRecord | undefined>;
  /** Takes the place of an earlier one of that name. */
  keepToken(token: { name: string; role: Role; hash: string }): Promise<void>;
  /** @returns whether there was one */
  removeToken(name: string): Promise<boolean>;
}

export const watchingOn = (db: Kysely<Tables>): Watching => ({
  tellLive: async (run, seen) => {
    const row = { seen: JSON.stringify(seen) };
    await db
      .insertInto("live")
      .values({ run, ...row })
      .onConflict((conflict) => conflict.column("run").doUpdateSet(row))
      .execute();
  },
  endLive: async (run) => {
    await db.deleteFrom("live").where("run", "=", run).execute();
  },
  liveOf: async (run) => {
    const row = await db.selectFrom("live").select("seen").where("run", "=", run).executeTakeFirst();
    return row ? readSeen(row.seen) : {};
  },
  tokens: async () => (await db.selectFrom("tokens").selectAll().orderBy("name").execute()).map(tokenOf),
  tokenWith: async (hash) => {
    const row = await db.selectFrom("tokens").selectAll().where("hash", "=", hash).executeTakeFirst();
    return row && tokenOf(row);
  },
  keepToken: async ({ name, role, hash }) => {
    const row = { role, hash, created: new Date().toISOString() };
    await db
      .insertInto("tokens")
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
      .execute();
  },
  removeToken: async (name) => {
    const { numDeletedRows } = await db.deleteFrom("tokens").where("name", "=", name).executeTakeFirst();
    return numDeletedRows > 0n;
  },
});

const tokenOf = ({ name, role, created }: Tables["tokens"]): TokenRecord => ({
  name: printable(name),
  role: readRole(role),
  created: new Date(created),
});
