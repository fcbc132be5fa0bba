/** Requests for a site's nodes: what a soak counts. */
import type { FakeServer } from "../fakes/haproxy.ts";
import type { FakeSite } from "../fakes/site.ts";

/** A request a millisecond to each node at each balancer, where balancing sends it anything. */
export interface Load extends Disposable {
  /** Of 100. */
  fails: Map<string, number>;
  idle: Set<string>;
}

export function loadOn(site: FakeSite): Load {
  const load = { fails: new Map<string, number>(), idle: new Set<string>() };
  const give = (name: string, server: FakeServer, requests: number): void => {
    if (server.admin !== 0 || server.operational !== 2 || load.idle.has(name)) return;
    for (let i = 0; i < requests; i++) {
      server.total += 1;
      server.answered += 1;
      if (server.total % 100 < (load.fails.get(name) ?? 0)) {
        server.answered -= 1;
        server.errors += 1;
      }
    }
  };
  let until = performance.now();
  const timer = setInterval(() => {
    // By the clock, so that a machine that is busy gives no less.
    const requests = Math.floor(performance.now() - until);
    until += requests;
    for (const lb of site.balancers)
      for (const name of site.names) give(name, lb.server("app", name), requests);
  }, 5);
  return { ...load, [Symbol.dispose]: () => clearInterval(timer) };
}
