/** Each way in that is none, and its refusal. */
import { expect, test } from "vitest";
import { consoleApp } from "../../src/console/app.ts";
import { type FakeParts, fakeParts, runView, tokens } from "./parts.ts";

type Headers = Record<string, string>;

interface Asked {
  path?: string;
  method?: string;
  headers?: Headers;
  body?: string;
  address?: string;
  isTls?: boolean;
}

const own: Headers = { host: "localhost:7682", "x-rota-console": "1", "content-type": "application/json" };
const as = (who: keyof typeof tokens): Headers => ({ ...own, cookie: `rota_token=${tokens[who]}` });
const drain = JSON.stringify({ do: "drain", nodes: ["web1"], reason: "disk swap" });

function asking(parts: FakeParts = fakeParts()) {
  const [plain, tls] = [consoleApp(parts, false), consoleApp(parts, true)];
  const ask = async ({
    path = "/api/acts",
    method = "POST",
    headers = {},
    body,
    address = "10.0.0.1",
    isTls,
  }: Asked) =>
    (isTls ? tls : plain).request(
      path,
      { method, headers, ...(method === "GET" ? {} : { body: body ?? drain }) },
      { address, hangUp: () => undefined },
    );
  return { parts, ask };
}

test("an operator's act is begun as a command line of its own, with the operator's name", async () => {
  const { parts, ask } = asking();
  const response = await ask({
    headers: { ...as("ann"), origin: "http://localhost:7682", "sec-fetch-site": "same-origin" },
  });
  expect(response.status).toBe(202);
  expect(parts.started).toEqual([
    {
      words: [
        "drain",
        "--inventory=/etc/rota/shop.yml",
        "--json",
        "--reason=disk swap",
        "--yes",
        "--",
        "web1",
      ],
      by: "ann (console)",
      what: "drain web1",
    },
  ]);
});

test.each<[string, Headers, number]>([
  ["nobody's token", own, 401],
  ["a guessed token", { ...own, cookie: "rota_token=rota_guess" }, 401],
  ["an empty token", { ...own, cookie: "rota_token=" }, 401],
  ["a token in the wrong scheme", { ...own, authorization: `Basic ${tokens.ann}` }, 401],
  ["a viewer's token", as("vic"), 403],
  ["another site's origin", { ...as("ann"), origin: "https://evil.example" }, 403],
  ["an origin that only begins alike", { ...as("ann"), origin: "http://localhost:7682.evil.example" }, 403],
  ["another port's origin", { ...as("ann"), origin: "http://localhost:1234" }, 403],
  ["an opaque origin", { ...as("ann"), origin: "null" }, 403],
  ["a browser that says cross-site", { ...as("ann"), "sec-fetch-site": "cross-site" }, 403],
  ["a browser that says same-site", { ...as("ann"), "sec-fetch-site": "same-site" }, 403],
  ["a form's type", { ...as("ann"), "content-type": "text/plain" }, 403],
  ["a type that only begins alike", { ...as("ann"), "content-type": "application/jsonp" }, 403],
  ["no type", { host: own["host"] ?? "", cookie: `rota_token=${tokens.ann}`, "x-rota-console": "1" }, 403],
  ["no header of ours", { ...as("ann"), "x-rota-console": "" }, 403],
  ["a name that is not ours (DNS rebinding)", { ...as("ann"), host: "evil.example" }, 421],
  ["no name", { ...as("ann"), host: "" }, 421],
])("a change with %s is refused, and nothing is begun", async (_, headers, status) => {
  const { parts, ask } = asking();
  const response = await ask({ headers });
  expect(response.status).toBe(status);
  expect(Object.keys(await response.json())).toEqual(["problem"]);
  expect(parts.started).toEqual([]);
});

test.each(["/api/me", "/api/live", "/api/runs", "/api/runs/ab12", "/api/runs/ab12/web1", "/metrics"])(
  "%s is for whoever is signed in, and answers no other site's page",
  async (path) => {
    const { ask } = asking(
      fakeParts({ history: { runs: async () => [], run: async () => runView(), printed: async () => [] } }),
    );
    expect((await ask({ path, method: "GET", headers: own })).status).toBe(401);
    const bearer = { host: "127.0.0.1:7682", authorization: `Bearer ${tokens.vic}` };
    const response = await ask({ path, method: "GET", headers: bearer });
    expect(response.status).toBe(200);
    await response.body?.cancel();
    if (path === "/metrics") return; // it has no cookie's rights
    const crossed = { ...as("ann"), "sec-fetch-site": "cross-site" };
    expect((await ask({ path, method: "GET", headers: crossed })).status).toBe(403);
    expect(response.headers.get("cache-control")).toBe("no-store");
  },
);

test("other methods change nothing", async () => {
  const { parts, ask } = asking();
  for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
    expect((await ask({ method, headers: as("ann") })).status, method).toBeGreaterThanOrEqual(400);
  expect(parts.started).toEqual([]);
});

test.each([
  ["is no JSON", "{", 400],
  ["is empty", "", 400],
  ["is no act", '{"do":"unlock"}', 400],
  ["has an option for a node", '{"do":"rotate","nodes":["--force"]}', 400],
  ["has more than it may", '{"do":"rotate","nodes":["web1"],"force":true}', 400],
  ["is huge", JSON.stringify({ do: "rotate", nodes: ["web1"], reason: "x".repeat(70_000) }), 413],
  ["is deep", `${"[".repeat(30_000)}${"]".repeat(30_000)}`, 400],
])("a body that %s is refused", async (_, body, status) => {
  const { parts, ask } = asking();
  const response = await ask({ headers: as("ann"), body });
  expect(response.status).toBe(status);
  expect(parts.started).toEqual([]);
});

test("whoever guesses is held up after ten tries; whoever is known is not, from the same address or another", async () => {
  const { ask } = asking();
  expect((await ask({ headers: as("ann") })).status).toBe(202);
  const guess = (i: number) =>
    ask({ path: "/api/sign-in", headers: own, body: JSON.stringify({ token: `rota_guess${i}` }) });
  for (let i = 0; i < 10; i++) expect((await guess(i)).status).toBe(401);
  expect((await guess(10)).status).toBe(429);
  // A right guess is not told from a wrong one any more.
  expect(
    (await ask({ path: "/api/sign-in", headers: own, body: JSON.stringify({ token: tokens.vic }) })).status,
  ).toBe(429);
  expect(
    (await ask({ path: "/api/me", method: "GET", headers: { ...own, cookie: "rota_token=x" } })).status,
  ).toBe(429);
  expect((await ask({ headers: as("ann") })).status).toBe(202);
  expect(
    (await ask({ path: "/api/me", method: "GET", headers: as("vic"), address: "10.0.0.2" })).status,
  ).toBe(200);
});

test("a stale token is out, in the page's stream too", async () => {
  const parts = fakeParts();
  const { ask } = asking(parts);
  parts.known.clear();
  expect((await ask({ headers: as("ann") })).status).toBe(401);
  expect((await ask({ path: "/api/live", method: "GET", headers: as("ann") })).status).toBe(401);
});

test("the cookie is out of reach of scripts and of other sites, and goes over TLS only where there is TLS", async () => {
  const { ask } = asking();
  const signIn = async (over: Asked): Promise<string> => {
    const response = await ask({
      path: "/api/sign-in",
      body: JSON.stringify({ token: tokens.ann }),
      headers: own,
      ...over,
    });
    expect(await response.json()).toEqual({ name: "ann", role: "operator" });
    return response.headers.get("set-cookie") ?? "";
  };
  const plain = await signIn({});
  expect(plain).toBe(`rota_token=${tokens.ann}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200`);
  expect(await signIn({ isTls: true })).toBe(`${plain}; Secure`);
  const behind = {
    ...own,
    host: "rota.example.net",
    origin: "https://rota.example.net",
    "x-forwarded-proto": "https",
  };
  expect(await signIn({ headers: behind })).toBe(`${plain}; Secure`);
  const out = await ask({ path: "/api/sign-out", headers: as("ann"), body: "{}" });
  expect(out.headers.get("set-cookie")).toContain(
    "rota_token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
  );
});

test("every answer says what a browser may do with it: nothing but our own", async () => {
  const { ask } = asking();
  for (const path of ["/", "/healthz", "/nowhere", "/api/me"]) {
    const { headers } = await ask({ path, method: "GET", headers: as("ann") });
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy, path).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'/);
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }
});

test("a defect says nothing of itself to who asks", async () => {
  const { ask } = asking(
    fakeParts({
      preview: () => Promise.reject(new Error("postgres://rota:hunter2@db/rota does not answer")),
    }),
  );
  const quiet = console.error;
  console.error = () => undefined;
  const response = await ask({ path: "/api/preview", headers: as("ann") }).finally(
    () => (console.error = quiet),
  );
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("hunter2");
});

test("whoever is signed in sees who they are and what a deploy needs, and no file of this machine", async () => {
  const { ask } = asking();
  const response = await ask({ path: "/api/me", method: "GET", headers: as("vic") });
  expect(await response.json()).toEqual({ name: "vic", role: "viewer", fleet: "shop", needs: ["RELEASE"] });
  expect((await ask({ path: "/api/preview", headers: as("vic") })).status).toBe(403);
});

test("the health page is for everybody, and tells no more than whether it is well", async () => {
  const well = asking();
  const ill = asking(fakeParts({ illness: async () => "the journal does not answer" }));
  const headers = { host: "127.0.0.1" };
  const good = await well.ask({ path: "/healthz", method: "GET", headers });
  expect([good.status, await good.json()]).toEqual([200, { ok: true }]);
  const bad = await ill.ask({ path: "/healthz", method: "GET", headers });
  expect([bad.status, await bad.json()]).toEqual([
    503,
    { ok: false, illness: "the journal does not answer" },
  ]);
});
