/** What a node's own check may be, as far as HAProxy's tells. */
import { fillIn } from "../fill-in.ts";
import { some } from "../remark.ts";
import type { SketchNode, SketchPool } from "../sketch.ts";
import { type Line, type Machine, type Some, placeOf, unique } from "./machines.ts";

/** The ports of a pool's nodes, where they differ. */
export function varsOf(group: Machine[]): Map<Machine, NonNullable<SketchNode["vars"]>> | undefined {
  const ports = group.map(portOf);
  if (unique(ports).length < 2) return undefined;
  return new Map(group.map((machine, i) => [machine, { PORT: ports[i] ?? 0 }]));
}

/** Of the machine's first backend; where HAProxy's check goes, if that is another. */
function portOf({ lines: [line] }: Machine): number {
  return line.checkPort ?? line.port;
}

export function checkOf(group: Some<Machine>, byVariable: boolean): SketchPool["check"] {
  const lines = group.flatMap((machine) => machine.lines.slice(0, 1));
  const [first] = group[0].lines;
  const port = byVariable ? "{PORT}" : String(portOf(group[0]));
  const url = `${first.ssl ? "https" : "http"}://{host}${port === "0" ? "" : `:${port}`}/`;
  const got = unique(lines.flatMap((line) => (isHttp(line) ? [line.checkCode ?? 0] : [])));
  const [code] = got;
  const others = unique(
    group
      .flatMap(({ lines: all }) => all.map(({ port: one }) => one))
      .filter((one) => !group.some((machine) => portOf(machine) === one)),
  );
  return {
    url,
    status: got.length === 1 && code !== 200 && code !== undefined && code < 400 ? code : undefined,
    remarks: [
      ...saidOf(first, got),
      ...(port === "0" ? [`${fillIn}: the port, which HAProxy takes from each client's connection.`] : []),
      ...(others.length > 0 ? [`These nodes serve other ports too: ${some(others.map(String))}.`] : []),
    ],
  };
}

const isHttp = ({ checkStatus, checkCode = 0 }: Line): boolean =>
  checkStatus.startsWith("L7") && checkCode >= 100 && checkCode <= 599;

function saidOf(line: Line, got: number[]): string[] {
  const place = placeOf(line);
  if (got.length > 0) {
    return [
      `${fillIn} the path. HAProxy's own check asks here over HTTP, and got ${got.join(", ")}; which page, only haproxy.cfg says:`,
      `"option httpchk" or "http-check send" of ${place}.`,
    ];
  }
  if (!line.checked)
    return [`${fillIn}: a page that answers 200 only if the app is well; HAProxy runs no check here.`];
  return [
    line.checkStatus === "L4OK" || line.checkStatus === "L6OK"
      ? `${fillIn}: a page that answers 200 only if the app is well. HAProxy's own check only opens a connection (${line.checkStatus}).`
      : `${fillIn}: a page that answers 200 only if the app is well. What HAProxy's own check asks, haproxy.cfg says (${place}).`,
  ];
}
