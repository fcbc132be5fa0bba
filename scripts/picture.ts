/** docs/run.ndjson, the events of a real run → docs/run.svg, its board at one moment. `npx tsx scripts/picture.ts` */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Paint, type Tone, board } from "../src/board/board.ts";
import type { Event } from "../src/events/events.ts";
import { nothingYet, reduce } from "../src/events/state.ts";

const docs = join(import.meta.dirname, "../docs");

/** The first moment at which the third node waits for its sessions to end. */
const isMoment = (event: Event): boolean => event.type === "waiting" && event.node === "web3";

export function picture(recorded: string): string {
  const events = recorded
    .split("\n")
    .filter(Boolean)
    .map((line): Event => JSON.parse(line));
  const seen = events.slice(0, events.findIndex(isMoment) + 1);
  const now = Date.parse(seen.at(-1)?.at ?? "") + 150;
  const lines = board(seen.reduce(reduce, nothingYet()), now, { width: 100, height: 24 }, marked);
  return svg(["$ rota deploy --set RELEASE=42", "", ...lines]);
}

// Marks that no text of the board holds: they are put around what has a colour.
const marked: Paint = (tone, text) => `\u0001${tone}\u0002${text}\u0003`;

const colours: Record<Tone, string> = {
  good: "#3fb950",
  bad: "#f85149",
  busy: "#39c5cf",
  quiet: "#8b949e",
  plain: "#e6edf3",
};
const [lineHeight, charWidth, edge] = [22, 8.43, 20];

function svg(lines: string[]): string {
  const [width, height] = [Math.round(100 * charWidth + 2 * edge), lines.length * lineHeight + 2 * edge];
  const texts = lines.map(
    (line, i) =>
      `  <text x="${edge}" y="${edge + (i + 0.7) * lineHeight}" xml:space="preserve">${coloured(line)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `  <title>rota rolls a deploy: two nodes are back, one waits for its sessions to end, one is to come</title>`,
    `  <rect width="100%" height="100%" rx="10" fill="#0d1117"/>`,
    `  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="${colours.plain}">`,
    ...texts,
    `  </g>`,
    `</svg>`,
    "",
  ].join("\n");
}

const coloured = (line: string): string =>
  escaped(line).replace(
    // oxlint-disable-next-line no-control-regex
    /\u0001(good|bad|busy|quiet|plain)\u0002([^\u0003]*)\u0003/g,
    (_, tone: Tone, text: string) => `<tspan fill="${colours[tone]}">${text}</tspan>`,
  );

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(docs, "run.svg"), picture(readFileSync(join(docs, "run.ndjson"), "utf8")));
}
