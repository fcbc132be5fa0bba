export interface BalancerPlan {
  /** Where the HTTP frontend listens, and the runtime socket that is on TCP. */
  http: string;
  tcp: string;
  /** Where the statistics page is, under /stats. */
  stats: string;
  adminSocket: string;
  operatorSocket: string;
  userSocket: string;
  /** The first is the default; the others are reached by the header X-Backend. */
  backends: string[];
  servers: { name: string; address: string }[];
  checkInterMs: number;
  rise: number;
  fall: number;
  backendLines: string[];
  serverOptions: string;
}

export const haproxyConfig = (plan: BalancerPlan): string => `
global
  stats socket ${plan.adminSocket} mode 600 level admin
  stats socket ipv4@${plan.tcp} level admin
  stats socket ${plan.operatorSocket} mode 600 level operator
  stats socket ${plan.userSocket} mode 600 level user
  stats timeout 10s
  nbthread 2

defaults
  mode http
  balance roundrobin
  option redispatch
  timeout connect 2s
  timeout client 65s
  timeout server 30s
  timeout http-keep-alive 65s
  timeout queue 5s
  timeout check 1s
  default-server inter ${plan.checkInterMs}ms fall ${plan.fall} rise ${plan.rise}

frontend stats
  bind ${plan.stats}
  stats enable
  stats uri /stats

frontend http
  bind ${plan.http}
  use_backend %[req.hdr(x-backend)] if { req.hdr(x-backend) -m found }
  default_backend ${plan.backends[0]}

${plan.backends.map((name) => backend(name, plan)).join("\n")}`;

const backend = (name: string, { servers, backendLines, serverOptions }: BalancerPlan): string =>
  [
    `backend ${name}`,
    "  option httpchk GET /_status", // here and not in defaults, for 3.4's disable-on-404
    ...backendLines.map((line) => `  ${line}`),
    ...servers.map(({ name: server, address }) =>
      `  server ${server} ${address} check ${serverOptions.replaceAll("{name}", server)}`.trimEnd(),
    ),
    "",
  ].join("\n");
