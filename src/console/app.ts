/** The routes. Everything but the page itself and the health page needs a token; every change needs an operator's. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { RotaError } from "../base/errors.ts";
import { type Act, readAct, wordsOf } from "./acts.ts";
import type { Feed } from "./feed.ts";
import { liveStream } from "./live.ts";
import { type People, type Person, failuresPerMinute } from "./people.ts";
import type { Starter } from "./started.ts";
import type { RunView } from "./view.ts";

export interface ConsoleParts {
  feed: Feed;
  people: People;
  starter: Starter;
  history: {
    /** The newest first. */
    runs(): Promise<unknown[]>;
    run(id: string): Promise<RunView | undefined>;
    /** What was printed on one node. */
    printed(run: string, node: string): Promise<{ step: string; text: string }[]>;
  };
  /** What an act would do, in lines for people. @throws RotaError */
  preview(act: Act): Promise<string[]>;
  /** Of the inventory: what a deploy must be given, and the names of pools. */
  about: { fleet: string; needs: string[]; pools: string[]; inventory: string };
  metrics(): Promise<string>;
  /** Why it is not well, if so. */
  illness(): Promise<string | undefined>;
  /** The files of the page, by path. */
  page: ReadonlyMap<string, { type: string; body: Uint8Array<ArrayBuffer> }>;
  /** Names by which browsers may call it, without ports: others are somebody's attempt to reach it through DNS. */
  names: ReadonlySet<string>;
}

export interface Env {
  /** The address of who asks. */
  Bindings: { address: string };
  Variables: { person: Person };
}

type At = Context<Env>;

const cookie = "rota_token";
const longestBody = 64 * 1024;
/** Seconds that a browser keeps a token. */
const signedInFor = 12 * 3_600;

export function consoleApp(parts: ConsoleParts, secure: boolean): Hono<Env> {
  const app = new Hono<Env>();
  const failures = failuresPerMinute({ one: 10, all: 100 });
  app.onError(answerError);
  app.use(headers, knownHost(parts.names));
  app.use("/api/*", ownPage, bodyLimit({ maxSize: longestBody }));

  for (const [path, { type, body }] of parts.page)
    app.get(path, (at) => at.body(body, 200, { "content-type": type, "cache-control": "no-cache" }));
  app.get("/healthz", async (at) => {
    const illness = await parts.illness();
    return at.json(
      illness === undefined ? { ok: true } : { ok: false, illness },
      illness === undefined ? 200 : 503,
    );
  });

  app.post("/api/sign-in", async (at) => {
    const address = addressOf(at);
    if (failures.isTooMany(address)) return at.json({ problem: "too many tries; wait a minute" }, 429);
    const { token } = await at.req.json<{ token?: unknown }>();
    const person = typeof token === "string" ? await parts.people.whose(token) : undefined;
    if (!person || typeof token !== "string") {
      failures.count(address);
      return at.json({ problem: "this token is not known" }, 401);
    }
    const overTls = secure || at.req.header("x-forwarded-proto") === "https";
    at.header("set-cookie", cookieOf(token, signedInFor, overTls));
    return at.json(person);
  });
  app.post("/api/sign-out", (at) => {
    at.header("set-cookie", cookieOf("", 0, secure));
    return at.json({});
  });

  const signedIn: MiddlewareHandler<Env> = async (at, next) => {
    const address = addressOf(at);
    if (failures.isTooMany(address)) return at.json({ problem: "too many tries; wait a minute" }, 429);
    const token = tokenIn(at);
    const person = token === undefined ? undefined : await parts.people.whose(token);
    if (!person) {
      if (token !== undefined) failures.count(address);
      return at.json({ problem: "sign in with a token" }, 401);
    }
    at.set("person", person);
    return next();
  };
  app.use("/metrics", signedIn);
  app.get("/metrics", async (at) =>
    at.body(await parts.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );

  app.use("/api/*", signedIn);
  app.get("/api/me", (at) => at.json({ ...at.get("person"), ...parts.about, begun: parts.starter.begun() }));
  app.get("/api/live", (at) => liveStream(at, parts));
  app.get("/api/runs", async (at) => at.json(await parts.history.runs()));
  app.get("/api/runs/:run", async (at) => {
    const run = await parts.history.run(at.req.param("run"));
    return run ? at.json(run) : at.json({ problem: "no such run" }, 404);
  });
  app.get("/api/runs/:run/:node", async (at) =>
    at.json(await parts.history.printed(at.req.param("run"), at.req.param("node"))),
  );

  app.post("/api/preview", operator, async (at) =>
    at.json({ lines: await parts.preview(readAct(await at.req.json())) }),
  );
  app.post("/api/acts", operator, async (at) => {
    const act = readAct(await at.req.json());
    const by = `${at.get("person").name} (console)`;
    const begun = parts.starter.start(wordsOf(act, parts.about.inventory), { by, what: sayAct(act) });
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

/** RFC 6265 §4.1: it goes to nobody else's page, and no script reads it. */
const cookieOf = (token: string, seconds: number, overTls: boolean): string =>
  `${cookie}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${overTls ? "; Secure" : ""}`;

/** From the page, by its cookie; or from a program (RFC 6750 §2.1). */
const tokenIn = (at: At): string | undefined =>
  new RegExp(`(?:^|; )${cookie}=([\\w-]+)`).exec(at.req.header("cookie") ?? "")?.[1] ??
  /^Bearer ([\w-]+)$/.exec(at.req.header("authorization") ?? "")?.[1];

const headers = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  referrerPolicy: "no-referrer",
  xFrameOptions: "DENY",
});

/** A page of somebody else's whose name leads here (DNS rebinding) comes with that name. */
const knownHost =
  (names: ReadonlySet<string>): MiddlewareHandler<Env> =>
  (at, next) => {
    const host = (at.req.header("host") ?? "").replace(/:\d+$/, "").toLowerCase();
    return names.has(host) ? next() : Promise.resolve(at.json({ problem: "not known by this name" }, 421));
  };

/** A change comes from our own page, or from a program: never from another site's page, whatever cookies go with it. */
const ownPage: MiddlewareHandler<Env> = (at, next) => {
  at.header("cache-control", "no-store");
  if (at.req.method === "GET") return next();
  const site = at.req.header("sec-fetch-site");
  const origin = at.req.header("origin");
  const foreign =
    (site !== undefined && site !== "same-origin") ||
    (origin !== undefined && hostIn(origin) !== (at.req.header("host") ?? "").toLowerCase()) ||
    at.req.header("x-rota-console") !== "1" ||
    !at.req.header("content-type")?.startsWith("application/json");
  return foreign ? Promise.resolve(at.json({ problem: "not from the console's own page" }, 403)) : next();
};

const hostIn = (origin: string): string => (URL.canParse(origin) ? new URL(origin).host : "");

const operator: MiddlewareHandler<Env> = (at, next) =>
  at.get("person").role === "operator"
    ? next()
    : Promise.resolve(at.json({ problem: "viewers change nothing; ask for an operator's token" }, 403));

const addressOf = (at: At): string => at.env.address;

function answerError(thrown: Error, at: At): Response {
  if (thrown instanceof RotaError) {
    const { code, message: problem, left, next } = thrown;
    return at.json({ code, problem, left, next }, code === "USAGE" ? 400 : 409);
  }
  if (thrown instanceof SyntaxError) return at.json({ problem: "the body is no JSON" }, 400);
  console.error(thrown);
  return at.json({ problem: "a defect of rota; see the console's log" }, 500);
}
