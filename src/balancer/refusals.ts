/** Answers that are none: what HAProxy says instead, and why. Source: HAProxy Management Guide §9.3. */

/** Why an answer was not what was asked for; scripts and messages go by `kind`. */
export type AnswerProblem =
  "no such server" | "no such backend" | "permission denied" | "stopping" | "not understood";

/** HAProxy answered, but not with what was asked for. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
  readonly kind: AnswerProblem;
  readonly answer: string;

  /** @param command the line that it answered, where that is known */
  constructor(kind: AnswerProblem, answer: string, command?: string) {
    const said = JSON.stringify(answer.length > 200 ? `${answer.slice(0, 200)}…` : answer);
    super(command === undefined ? `${kind}: ${said}` : `${kind}: HAProxy answers ${said} to "${command}"`);
    this.kind = kind;
    this.answer = answer;
  }
}

const knownRefusals: [RegExp, AnswerProblem][] = [
  [/^No such server\./, "no such server"],
  [/^(No such backend\.|Can't find backend\.|No such proxy\.)/, "no such backend"],
  [/^Permission denied/, "permission denied"],
  // A worker that a reload has replaced still answers on connections it took before.
  [/^Proxy is disabled\./, "stopping"],
  // A master's words where the worker ends while it is asked.
  [/^Can't connect to the target CLI!/, "stopping"],
];

export function refusal(answer: string): AnswerError {
  const known = knownRefusals.find(([pattern]) => pattern.test(answer));
  return new AnswerError(known ? known[1] : "not understood", answer);
}
