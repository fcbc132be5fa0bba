import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FakeAnswer } from "./app.ts";
import { fakeSite, type FakeSite, type FakeSiteOptions, type Overrides } from "./site.ts";

/** A site whose nodes leave by their page: a file in the login folder makes it answer 404, and HAProxy's checks fail. */
export async function pagedSite({ pool = {}, ...options }: FakeSiteOptions = {}): Promise<FakeSite> {
  const site = await fakeSite({
    ...options,
    haproxy: { level: "operator", ...options.haproxy },
    pool: { ...paged, ...pool, status_page: { ...paged.status_page, ...statusPageOf(pool) } },
  });
  for (const name of site.names) {
    site.app(name).answers(() => (isMarked(site, name) ? { status: 404 } : well));
    for (const balancer of site.balancers) {
      const server = balancer.server("app", name);
      Object.defineProperty(server, "passes", { get: () => !isMarked(site, name), set: () => {} });
    }
  }
  return site;
}

const paged = {
  drain: { via: "status-page", within: "3s" },
  status_page: { out: "touch out-of-rotation", in: "rm -f out-of-rotation" },
};

const well: Exclude<FakeAnswer, (url: string) => unknown> = { status: 200, body: '{"status":"ok"}' };

/** The node's page is held out. */
export const isMarked = (site: FakeSite, node: string): boolean =>
  existsSync(join(site.host(node).folder, "out-of-rotation"));

const statusPageOf = (pool: Overrides): object => {
  const page = pool["status_page"];
  return typeof page === "object" && page !== null ? page : {};
};
