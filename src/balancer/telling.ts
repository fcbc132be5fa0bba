/** What one balancer is told. HAProxy says "done" also where nothing could change: what counts is read back. */
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import type { AdminState, Agent, Place } from "../rotation/ports.ts";
import type { ServerState } from "./answers.ts";
import { type Asking, linesOf } from "./asking.ts";
import {
  type Command,
  disableAgent,
  enableAgent,
  setAgentDown,
  setHealthDown,
  setState,
  setWeight,
  showServersState,
} from "./commands.ts";
import { stateAt } from "./numbers.ts";
import { adminState, tookState } from "./reading.ts";

export interface Telling {
  /** @param distrust takes the health verdict back too */
  set(places: Place[], state: AdminState, distrust: boolean): Promise<void>;
  askAgents(places: (Place & { agent: Agent })[]): Promise<void>;
  weigh(places: (Place & { weight: number })[]): Promise<Place[]>;
}

/** Milliseconds: an agent that was being asked is given so long to answer, and may be looked for so often. */
const agentsWithin = 3_000;
const agentsEvery = 25;

/** @param askAll of the balancer of that name */
export function tellingOn(name: string, askAll: Asking["askAll"]): Telling {
  const refused = (problems: string[]): void => {
    if (problems.length > 0)
      throw new RotaError("BALANCER_ANSWER", { problem: `${name}: ${problems.join("; ")}` });
  };

  /** Told and read back on one line, so by the same worker; a backend is read once for all that a line tells. */
  async function tell<P extends Place>(
    places: P[],
    orders: (at: P) => readonly Command<unknown>[],
  ): Promise<Told<P>[]> {
    const lines = [...new Set(places.map(({ backend }) => backend))].flatMap((backend) => {
      const readBack = showServersState(backend);
      const mine = places.filter((at) => at.backend === backend);
      return linesOf(mine, orders, [readBack]).map((line) => ({ line, readBack }));
    });
    const views = await askAll(
      lines.map(({ line, readBack }) => [...line.flatMap(orders), readBack] as const),
    );
    return lines.flatMap(({ line }, i) => {
      const answers: readonly unknown[] = views[i]?.answers ?? [];
      const states = answers.find(isStates) ?? [];
      let next = 0;
      return line.map((place) => ({
        place,
        is: stateAt(states, place, name),
        said: answers.slice(next, (next += orders(place).length)),
      }));
    });
  }

  /** Until none is asked, and none is answering any more: what it says might undo what was told. */
  async function silence(places: Place[], state: AdminState): Promise<Told<Place>[]> {
    const until = systemClock.now() + agentsWithin;
    for (;;) {
      const seen = await tell(places, (at) => [disableAgent(at), setState(at, state)]);
      if (!seen.some(({ is }) => hasAgent(is)) || systemClock.now() >= until) return seen;
      await systemClock.sleep(agentsEvery, new AbortController().signal);
    }
  }

  return {
    async set(places, state, distrust) {
      const seen = await tell(places, (at) =>
        distrust ? [setState(at, state), setHealthDown(at)] : [setState(at, state)],
      );
      const asked = state === "ready" ? [] : seen.filter(({ is }) => hasAgent(is));
      const loud = seen.filter((one) => !asked.includes(one));
      const silent = await silence(
        asked.map(({ place }) => place),
        state,
      );
      refused(
        [...loud, ...silent].flatMap(({ is }) => {
          const at = `${is.backend}/${is.server}`;
          if (!tookState(is, state)) return [`${at} was told ${state} and is ${adminState(is)}`];
          return state !== "ready" && is.agent ? [`${at} asks its agent, and was told not to`] : [];
        }),
      );
    },

    async askAgents(places) {
      const seen = await tell(places, (at) =>
        at.agent === "down" ? [enableAgent(at), setAgentDown(at)] : [enableAgent(at)],
      );
      refused(
        seen.flatMap(({ is, said: [has] }) => {
          if (has === false || is.agent) return []; // a reload may have taken its agent away
          return [`${is.backend}/${is.server} was told to ask its agent, and does not`];
        }),
      );
    },

    async weigh(places) {
      const seen = await tell(places, (at) => [setWeight(at, at.weight)]);
      const fixed = seen.filter(({ said: [taken] }) => taken === false).map(({ place }) => place);
      refused(
        seen.flatMap(({ place, is: { weight } }) => {
          if (fixed.includes(place) || weight === place.weight) return [];
          return [`${place.backend}/${place.server} was told weight ${place.weight} and has ${weight}`];
        }),
      );
      return fixed;
    },
  };
}

/** What a place was told, what each order was answered, and how it is since. */
interface Told<P> {
  place: P;
  said: unknown[];
  is: ServerState;
}

const isStates = (answer: unknown): answer is ServerState[] => Array.isArray(answer);

/** Asked, or just being asked. */
const hasAgent = ({ agent, agentBusy }: ServerState): boolean => agent || agentBusy;
