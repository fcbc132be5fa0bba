/** Situations of hosts, and of nodes in the middle of a run. */
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fakeSite } from "../fakes/site.ts";
import {
  type Scene,
  make,
  remove,
  rewritten,
  unless,
  within3s,
  freePort,
  failing,
  knownHostsOf,
  withFolders,
  started,
  proof,
  releaseSite,
  soaked,
  underLoad,
  stop,
} from "./situation.ts";

export const atNodes: Scene[] = [
  {
    code: "HOST_UNREACHABLE",
    site: () => fakeSite(),
    begin: async (site) => rewritten(`port: ${site.host("web1").port}`, `port: ${await freePort()}`)(site),
    mend: (site) => rewritten(/port: \d+/, `port: ${site.host("web1").port}`)(site),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_LOGIN",
    site: () => fakeSite(),
    begin: (site) => rewritten(site.host("web1").identity, site.host("web2").identity)(site),
    mend: (site) => rewritten(site.host("web2").identity, site.host("web1").identity)(site),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_KEY",
    site: () => fakeSite(),
    begin: (site) => writeFile(knownHostsOf(site), ""),
    ends: "fails",
    again: true,
  },
  {
    code: "HOST_KEY",
    what: "a host key that has changed",
    site: () => fakeSite(),
    begin: (site) => {
      const line = `[127.0.0.1]:${site.host("web1").port} ${site.host("web2").hostKey}\n`;
      return writeFile(knownHostsOf(site), line);
    },
    again: "after ssh",
  },
  {
    code: "SSH_CONFIG",
    site: () => fakeSite(),
    begin: async (site) => {
      site.env["ROTA_SSH_CONFIG"] = join(dirname(site.inventory), "ssh-config");
      await writeFile(site.env["ROTA_SSH_CONFIG"], "Hots web1\n");
    },
    mend: (site) => writeFile(join(dirname(site.inventory), "ssh-config"), "Host web1\n"),
    ends: "fails",
    again: true,
  },
  {
    code: "COMMAND_FAILED",
    site: () => fakeSite(failing),
    begin: make("web1", "broken"),
    mend: remove("web1", "broken"),
  },
  {
    code: "COMMAND_UNKNOWN",
    site: () => fakeSite(),
    begin: (site) => site.host("web1").dieDuring(/upgrading/),
    mend: (site) => site.host("web1").dieDuring(/(?!)/),
  },
  {
    code: "HOOK_FAILED",
    site: () => fakeSite({ pool: { hooks: { after_batch: { here: unless("broken") } } } }),
    begin: (site) => writeFile(join(dirname(site.inventory), "broken"), ""),
    mend: (site) => rm(join(dirname(site.inventory), "broken")),
  },
  {
    code: "UPLOAD_FAILED",
    site: () => releaseSite(),
    begin: (site) => site.host("web2").cutUploadAfter(100_000),
    mend: (site) => site.host("web2").cutUploadAfter(Infinity),
  },
  {
    code: "RESTART_UNPROVEN",
    site: () =>
      fakeSite({ pool: { restart: { run: `[ -e broken ] || { ${started}; }`, proof }, ...within3s } }),
    begin: async (site) => make("web1", "broken")(await withFolders(site)),
    mend: remove("web1", "broken"),
  },
  {
    code: "RELEASE_OLD",
    site: () =>
      releaseSite({
        restart: {
          run: `cd app/current; [ ! -e "$HOME/broken" ] || cd "$HOME"/app/releases/1-*; ${started}`,
          proof,
        },
      }),
    begin: async (site) => {
      await site.rota("deploy", "--set", "RELEASE=1");
      await make("web1", "broken")(site);
    },
    mend: remove("web1", "broken"),
  },
  {
    code: "NODE_DOWN",
    site: () => fakeSite({ pool: { ready: { ramp: ["25%", "50%"], every: "1s" } } }),
    begin: (site) => {
      for (const server of site.balancers.flatMap((lb) => lb.servers()))
        Object.assign(server, { weight: 100, initialWeight: 100 });
      site.whenWaiting("web1", /^25% of its weight/, () => {
        site.balancer("lb2").server("app", "web1").passes = false;
      });
    },
    mend: (site) => (site.balancer("lb2").server("app", "web1").passes = true),
  },
  {
    code: "WAIT_LIMIT",
    site: () => fakeSite({ pool: within3s }),
    begin: (site) => site.app("web1").answers({ status: 503, body: "no database" }),
    mend: (site) => site.app("web1").answers({ status: 200, body: '{"status":"ok"}' }),
  },
  {
    code: "WAIT_LIMIT",
    what: "sessions that do not end",
    site: () => fakeSite({ pool: { drain: { within: "3s" } } }),
    begin: (site) => (site.balancer("lb1").server("app", "web1").sessions = 3),
    mend: (site) => (site.balancer("lb1").server("app", "web1").sessions = 0),
  },
  {
    code: "SOAK_WORSE",
    site: () => fakeSite(soaked),
    begin: underLoad,
    states: ["drain", "ready", "ready"],
  },
  {
    code: "SOAK_INCONCLUSIVE",
    site: () => fakeSite(soaked),
    mend: rewritten("soak: 400ms", "soak: 400ms\n      inconclusive: go-on"),
  },
  {
    code: "INTERRUPTED",
    site: () => fakeSite(),
    begin: (site) => site.atStep("web1", "upgrade", stop),
    alone: true,
  },
];
