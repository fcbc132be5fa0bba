/** The page: three files, made by scripts/build.js, and nothing from anybody else. */
import { readFileSync } from "node:fs";

const types = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
} as const;

type Files = Map<string, { type: string; body: Uint8Array<ArrayBuffer> }>;

/** From the program's own folder; from a checkout, of what was built last. */
export function pageFiles(): Files {
  const folder = new URL(
    import.meta.url.includes("/src/") ? "../../dist/console/" : "../console/",
    import.meta.url,
  );
  return new Map(
    Object.entries(types).map(([path, [file, type]]) => [
      path,
      { type, body: new Uint8Array(readFileSync(new URL(file, folder))) },
    ]),
  );
}
