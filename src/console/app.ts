/** The routes. Everything but the page itself and the health page needs a token; every change needs an operator's. */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { RotaError } from "../base/errors.ts";
import { type Act, readAct, wordsOf } from "./acts.ts";
import type { Feed } from "./feed.ts";
import { doorOf, headers, knownHost, operatorOnly, ownPage } from "./guards.ts";
import { liveStream } from "./live.ts";
import type { People, Person } from "./people.ts";
import type { Starter } from "./started.ts";
import type { RunLine, RunView } from "./view.ts";

export interface ConsoleParts {
  feed: Feed;
  people: People;
  starter: Starter;
  history: {
    /** The newest first. */
    runs(): Promise<RunLine[]>;
    run(id: string): Promise<RunView | undefined>;
    /** What was printed on one node. */
    printed(run: string, node: string): Promise<{ step: string; text: string }[]>;
  };
  /** What an act would do, in lines for people. @throws RotaError */
  preview(act: Act): Promise<string[]>;
  about: About;
  inventory: string;
  metrics(): Promise<string>;
  /** What is not well, in a word for everybody: "the journal can't be read". */
  illness(): Promise<string | undefined>;
  /** The files of the page, by path. */
  page: ReadonlyMap<string, { type: string; body: Uint8Array<ArrayBuffer> }>;
  /** Names by which browsers may call it, without ports: others are somebody's attempt to reach it through DNS. */
  names: ReadonlySet<string>;
}

/** Of the inventory: what a deploy must be given. */
export interface About {
  fleet: string;
  needs: string[];
}

export interface Env {
  /** The address of who asks; and an end of the connection, without an answer. */
  Bindings: { address: string; hangUp: () => void };
  Variables: { person: Person; token: string };
}

const tooLarge = "the body is too large";
const limit = bodyLimit({
  maxSize: 64 * 1024,
  onError: (at) => at.json({ problem: tooLarge }, 413),
});

/** @param isTls it speaks TLS itself */
export function consoleApp(parts: ConsoleParts, isTls: boolean): Hono<Env> {
  const app = new Hono<Env>();
  const door = doorOf(parts.people, isTls);
  app.onError(answerError);
  app.use(headers, knownHost(parts.names));
  app.use("/api/*", ownPage, limit);

  for (const [path, { type, body }] of parts.page)
    app.get(path, (at) => at.body(body, 200, { "content-type": type, "cache-control": "no-cache" }));
  app.get("/healthz", async (at) => {
    const illness = await parts.illness();
    return illness === undefined ? at.json({ ok: true }) : at.json({ ok: false, illness }, 503);
  });
  app.post("/api/sign-in", door.signIn);
  app.post("/api/sign-out", door.signOut);

  app.get("/metrics", door.signedIn, async (at) =>
    at.body(await parts.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  app.use("/api/*", door.signedIn);
  app.get("/api/me", (at) => at.json({ ...at.get("person"), ...parts.about }));
  app.get("/api/live", (at) => liveStream(at, parts));
  app.get("/api/runs", async (at) => at.json(await parts.history.runs()));
  app.get("/api/runs/:run", async (at) => {
    const run = await parts.history.run(at.req.param("run"));
    return run ? at.json(run) : at.json({ problem: "no such run" }, 404);
  });
  app.get("/api/runs/:run/:node", async (at) =>
    at.json(await parts.history.printed(at.req.param("run"), at.req.param("node"))),
  );

  app.post("/api/preview", operatorOnly, async (at) =>
    at.json({ lines: await parts.preview(readAct(await at.req.json())) }),
  );
  app.post("/api/acts", operatorOnly, async (at) => {
    const act = readAct(await at.req.json());
    const by = `${at.get("person").name} (console)`;
    const begun = parts.starter.start(wordsOf(act, parts.inventory), { by, what: sayAct(act) });
    parts.feed.hurry();
    return at.json(begun, 202);
  });
  app.notFound((at) => at.json({ problem: "there is nothing here" }, 404));
  return app;
}

function sayAct(act: Act): string {
  if ("nodes" in act) return [act.do, ...act.nodes].join(" ");
  return "run" in act ? `${act.do} ${act.run}` : act.do;
}

function answerError(thrown: Error, at: Context<Env>): Response {
  if (thrown instanceof RotaError) {
    const { code, message: problem, left, next } = thrown;
    return at.json({ code, problem, left, next }, code === "USAGE" ? 400 : 409);
  }
  if (thrown instanceof SyntaxError) return at.json({ problem: "the body is no JSON" }, 400);
  if (thrown instanceof HTTPException)
    return at.json({ problem: thrown.status === 413 ? tooLarge : "not to be read" }, thrown.status);
  // Whoever went away in the middle of a body: no defect, and no line in the log for each.
  if (at.req.raw.signal.aborted) return at.json({ problem: "it ended early" }, 400);
  console.error(thrown);
  return at.json({ problem: "a defect of rota; see the console's log" }, 500);
}
