/** What one balancer is told. HAProxy says "done" also where nothing could change: what counts is read back. */
import { systemClock } from "../base/clock.ts";
import { RotaError } from "../base/errors.ts";
import type { AdminState, Agent, Place } from "../rotation/ports.ts";
import type { ServerState } from "./answers.ts";
import type { Asking } from "./asking.ts";
import {
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

  /** Told and read back on one line, so by the same worker. @returns the state of each place */
  async function tell(places: Place[], state: AdminState, distrust: boolean): Promise<ServerState[]> {
    const views = await askAll(
      places.map((at) => {
        const told = [setState(at, state), showServersState(at.backend)] as const;
        return distrust ? ([...told, setHealthDown(at)] as const) : told;
      }),
    );
    return places.map((at, i) => stateAt(views[i]?.answers[1] ?? [], at, name));
  }

  /** Until none is asked, and none is answering any more: what it says might undo what was told. */
  async function silence(places: Place[], state: AdminState): Promise<ServerState[]> {
    if (places.length === 0) return [];
    const until = systemClock.now() + agentsWithin;
    for (;;) {
      const views = await askAll(
        places.map((at) => [disableAgent(at), setState(at, state), showServersState(at.backend)] as const),
      );
      const seen = places.map((at, i) => stateAt(views[i]?.answers[2] ?? [], at, name));
      if (!seen.some(hasAgent) || systemClock.now() >= until) return seen;
      await systemClock.sleep(agentsEvery, new AbortController().signal);
    }
  }

  return {
    async set(places, state, distrust) {
      const seen = (await tell(places, state, distrust)).map((is, i) => ({ is, place: places[i] }));
      const asked = state === "ready" ? [] : seen.filter(({ is }) => hasAgent(is));
      const silent = await silence(
        asked.flatMap(({ place }) => place ?? []),
        state,
      );
      const loud = seen.filter((one) => !asked.includes(one)).map(({ is }) => is);
      refused(
        [...loud, ...silent].flatMap((is) => {
          const at = `${is.backend}/${is.server}`;
          if (!tookState(is, state)) return [`${at} was told ${state} and is ${adminState(is)}`];
          return state !== "ready" && is.agent ? [`${at} asks its agent, and was told not to`] : [];
        }),
      );
    },

    async askAgents(places) {
      const views = await askAll(
        places.map((at) => {
          const told = [enableAgent(at), showServersState(at.backend)] as const;
          return at.agent === "down" ? ([...told, setAgentDown(at)] as const) : told;
        }),
      );
      refused(
        places.flatMap((at, i) => {
          const [has, states = []] = views[i]?.answers ?? [];
          if (!has || stateAt(states, at, name).agent) return []; // a reload may have taken its agent away
          return [`${at.backend}/${at.server} was told to ask its agent, and does not`];
        }),
      );
    },

    async weigh(places) {
      const views = await askAll(
        places.map((at) => [setWeight(at, at.weight), showServersState(at.backend)] as const),
      );
      const fixed = places.filter((_, i) => views[i]?.answers[0] === false);
      refused(
        places.flatMap((at, i) => {
          const { weight } = stateAt(views[i]?.answers[1] ?? [], at, name);
          if (fixed.includes(at) || weight === at.weight) return [];
          return [`${at.backend}/${at.server} was told weight ${at.weight} and has ${weight}`];
        }),
      );
      return fixed;
    },
  };
}

/** Asked, or just being asked. */
const hasAgent = ({ agent, agentBusy }: ServerState): boolean => agent || agentBusy;
