/** What a running HAProxy says of all its servers, for whoever knows nothing of it yet. */
import type { SocketBalancer } from "../inventory/fleet.ts";
import {
  type Fields,
  type ServerRow,
  type ServerState,
  readCsv,
  readServerRow,
  readServerState,
  readStateRows,
} from "./answers.ts";
import { askBalancer } from "./asking.ts";
import { together } from "./balancers.ts";
import { type Command, showCliLevel, showServers, showServersState } from "./commands.ts";
import type { Deadlines } from "./exchange.ts";
import { type WaysOptions, openWays } from "./ways.ts";

/** One server line, as both answers have it. */
export type KnownServer = ServerState &
  Pick<ServerRow, "status" | "backup" | "tracks"> & {
    /** The name that DNS was asked for; undefined where the configuration has an address. */
    fqdn: string | undefined;
    /** Where its checks go, if not to its own port. */
    checkPort: number | undefined;
    ssl: boolean;
    /** In mode tcp a connection counts, not a request. */
    mode: string;
    /** The check that was made last, as "L7OK" or "L4CON". */
    checkStatus: string;
    /** The HTTP status that it got. */
    checkCode: number | undefined;
  };

export interface Introduction {
  balancer: string;
  version: string;
  process: number;
  /** Seconds since it was started. */
  uptime: number | undefined;
  /** What its socket may do. */
  level: string;
  servers: KnownServer[];
}

/**
 * Asks each on one line, all at once; changes nothing.
 *
 * @throws RotaError that names every balancer which did not answer as it must
 */
export async function introductions(
  balancers: SocketBalancer[],
  ssh?: WaysOptions,
  within?: Deadlines,
): Promise<Introduction[]> {
  await using ways = openWays(ssh);
  return await together(
    balancers.map(async (balancer) => {
      const asking = askBalancer(balancer, ways, within);
      const { info, answers } = await asking.ask(showCliLevel(), describeStates, describeRows);
      const [level, states, rows] = answers;
      const { version, pid, uptime } = info;
      return [
        { balancer: balancer.name, version, process: pid, uptime, level, servers: joined(states, rows) },
      ];
    }),
  );
}

type DescribedState = ServerState & Pick<KnownServer, "fqdn" | "checkPort" | "ssl">;
type DescribedRow = ServerRow & Pick<KnownServer, "mode" | "checkStatus" | "checkCode">;

const describeStates: Command<DescribedState[]> = {
  line: showServersState().line,
  read: (frame) => readStateRows(frame).map(describedState),
};

const describedState = (field: Fields): DescribedState => {
  const fqdn = field.optional("srv_fqdn") ?? "-";
  return {
    ...readServerState(field),
    fqdn: fqdn === "-" || fqdn === "" ? undefined : fqdn,
    checkPort: number(field.optional("srv_check_port")),
    ssl: field.optional("srv_use_ssl") === "1",
  };
};

const describeRows: Command<DescribedRow[]> = {
  line: showServers().line,
  read: (frame) => readCsv(frame).map(describedRow),
};

const describedRow = (field: Fields): DescribedRow => ({
  ...readServerRow(field),
  mode: field.optional("mode") ?? "",
  checkStatus: (field.optional("check_status") ?? "").replace(/^\* /, ""),
  checkCode: number(field.optional("check_code")),
});

/** 0 is what HAProxy says where there is none. */
const number = (text = ""): number | undefined =>
  /^\d{1,6}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;

function joined(states: DescribedState[], rows: DescribedRow[]): KnownServer[] {
  const rowOf = new Map(rows.map((row) => [`${row.backend}/${row.server}`, row]));
  return states.flatMap((state) => {
    const row = rowOf.get(`${state.backend}/${state.server}`);
    return row ? [{ ...row, ...state }] : [];
  });
}
