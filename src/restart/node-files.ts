/** The files that rota prints for nodes: they run there, without it. */
import { readFileSync } from "node:fs";

interface Hook {
  file: string;
  what: string;
}

export const hooks = {
  gunicorn: {
    file: "gunicorn/gunicorn_rota.py",
    what: "gunicorn's hooks: each worker proves itself before it serves (docs/gunicorn.md)",
  },
  "gunicorn-roll": {
    file: "gunicorn/roll.py",
    what: "replaces gunicorn's workers one by one; python3 roll.py PID, also by hand",
  },
  uwsgi: {
    file: "uwsgi/uwsgi_rota.py",
    what: "uWSGI's guard: each worker proves itself before it serves (docs/uwsgi.md)",
  },
  "uwsgi-roll": {
    file: "uwsgi/roll.py",
    what: "replaces uWSGI's workers one by one; python3 roll.py --stats SOCKET, also by hand",
  },
} as const satisfies Record<string, Hook>;

export type HookName = keyof typeof hooks;

export const isHook = (name: string): name is HookName => Object.hasOwn(hooks, name);

/** The same way from src, from tsc's output and from the bundle, into which scripts/build.js puts the files. */
export const textOf = (name: HookName): string =>
  readFileSync(new URL(`../restart/${hooks[name].file}`, import.meta.url), "utf8");
