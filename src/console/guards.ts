/** Who is let through to which route, and from where. */
import type { Context, MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { Env } from "./app.ts";
import { type People, failuresPerMinute } from "./people.ts";

type Guard = MiddlewareHandler<Env>;
type At = Context<Env>;

const cookie = "rota_token";
/** Seconds that a browser keeps a token. */
const signedInFor = 12 * 3_600;

export const headers = secureHeaders({
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
  // Of this name alone: what else is served below it is not ours to say.
  strictTransportSecurity: "max-age=15552000",
  referrerPolicy: "no-referrer",
  xFrameOptions: "DENY",
});

/** A page of somebody else's whose name leads here (DNS rebinding) comes with that name. */
export const knownHost =
  (names: ReadonlySet<string>): Guard =>
  async (at, next) => {
    const host = hostOf(at).replace(/:\d+$/, "");
    return names.has(host)
      ? next()
      : refusal(at, 421, "the console is not known by this name; rota console --name gives it one");
  };

/** What comes from another site's page is refused, whatever cookies go with it; a change needs a header that no form can send. */
export const ownPage: Guard = async (at, next) => {
  at.header("cache-control", "no-store");
  const [site, origin] = [at.req.header("sec-fetch-site"), at.req.header("origin")];
  const isForeign =
    (site !== undefined && site !== "same-origin" && site !== "none") ||
    (origin !== undefined && hostIn(origin) !== hostOf(at));
  const isPlain =
    at.req.method === "GET" ||
    (at.req.header("x-rota-console") === "1" && isJson(at.req.header("content-type")));
  return !isForeign && isPlain ? next() : refusal(at, 403, "not from the console's own page");
};

const hostOf = (at: At): string => (at.req.header("host") ?? "").toLowerCase();

const hostIn = (origin: string): string => (URL.canParse(origin) ? new URL(origin).host : "");

const isJson = (type = ""): boolean => /^application\/json *(;|$)/.test(type);

export const operatorOnly: Guard = async (at, next) =>
  at.get("person").role === "operator"
    ? next()
    : refusal(at, 403, "viewers change nothing; ask for an operator's token");

export interface Door {
  /** Whoever has a token. */
  signedIn: Guard;
  signIn: (at: At) => Promise<Response>;
  signOut: (at: At) => Response;
}

/** @param isTls it speaks TLS itself */
export function doorOf(people: People, isTls: boolean): Door {
  const failures = failuresPerMinute({ one: 10, all: 100 });

  /** Whoever guesses is let try a few times; whoever was known before is not shut out by that. */
  async function enter(at: At, token: string): Promise<Env["Variables"] | Response> {
    const { address } = at.env;
    if (failures.isTooMany(address) && !people.wasKnown(token))
      return refusal(at, 429, "too many tries; wait a minute");
    const person = await people.whose(token);
    if (person) return { person, token };
    failures.count(address);
    return refusal(at, 401, "this token is not known");
  }

  return {
    async signedIn(at, next) {
      const token = tokenIn(at);
      if (token === undefined) return refusal(at, 401, "sign in with a token");
      const entered = await enter(at, token);
      if (entered instanceof Response) return entered;
      at.set("person", entered.person);
      at.set("token", entered.token);
      return next();
    },
    async signIn(at) {
      const { token } = await at.req.json<{ token?: unknown }>();
      if (typeof token !== "string" || !/^[\w-]{1,200}$/.test(token))
        return refusal(at, 401, "this is no token");
      const entered = await enter(at, token);
      if (entered instanceof Response) return entered;
      at.header("set-cookie", cookieOf(token, signedInFor, isTls || isBehindTls(at)));
      return at.json(entered.person);
    },
    signOut(at) {
      at.header("set-cookie", cookieOf("", 0, isTls || isBehindTls(at)));
      return at.json({});
    },
  };
}

/** Believed for nothing but whether the cookie may travel in the clear. */
const isBehindTls = (at: At): boolean => at.req.header("x-forwarded-proto") === "https";

/** RFC 6265 §4.1: it goes to nobody else's page, and no script reads it. */
const cookieOf = (token: string, seconds: number, isTls: boolean): string =>
  `${cookie}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isTls ? "; Secure" : ""}`;

/** From the page, by its cookie; or from a program (RFC 6750 §2.1). */
const tokenIn = (at: At): string | undefined =>
  new RegExp(`(?:^|; )${cookie}=([\\w-]+)`).exec(at.req.header("cookie") ?? "")?.[1] ??
  /^Bearer ([\w-]+)$/.exec(at.req.header("authorization") ?? "")?.[1];

const refusal = (at: At, status: 401 | 403 | 421 | 429, problem: string): Response =>
  at.json({ problem }, status);
