/** An inventory before it is written: what is known of a fleet, and what a person is to be told about it. */

/** Of a node, or of all: what SSH needs to know. */
export interface Login {
  user?: string;
  port?: number;
  identity?: string;
  known_hosts?: string;
  jump?: string;
  sudo?: boolean;
}

export interface SketchNode {
  name: string;
  host: string;
  /** Where HAProxy has another name for it. */
  server?: string | undefined;
  ssh?: Login;
  vars?: Record<string, string | number | boolean>;
  /** What is odd about it; each becomes a comment. */
  remarks: string[];
}

export interface SketchPool {
  name: string;
  remarks: string[];
  /** Absent: all of them. */
  balancers?: string[] | undefined;
  /** Absent: every backend that has the server. */
  backends?: string[] | undefined;
  nodes: SketchNode[];
  /** Keys that a person may want here, as commented lines. */
  hints: string[];
  vars?: Record<string, string | number | boolean>;
  check: { url: string; status?: number | undefined; remarks: string[] };
}

export interface Sketch {
  fleet: string;
  /** Where it comes from. */
  about: string[];
  balancers: { name: string; address: string; remarks: string[] }[];
  balancerRemarks: string[];
  ssh: Login;
  sshRemarks: string[];
  poolRemarks: string[];
  pools: SketchPool[];
  /** What is not in it, and why. */
  left: string[];
}
