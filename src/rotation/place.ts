import type { Place } from "./ports.ts";

export const sayPlace = ({ balancer, backend, server }: Place): string => `${balancer}/${backend}/${server}`;

export const samePlace = (a: Place, b: Place): boolean =>
  a.balancer === b.balancer && a.backend === b.backend && a.server === b.server;
