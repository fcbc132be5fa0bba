/** HAProxy's runtime API for use alone: `import { openRuntime, setState } from "rota/haproxy"`. */
export * from "./answers.ts";
export * from "./commands.ts";
export * from "./master.ts";
export * from "./sessions.ts";
export { NoAnswer, type Deadlines } from "./exchange.ts";
export { openRuntime, type Runtime } from "./runtime.ts";
export type { SocketAddress } from "../inventory/fleet.ts";
