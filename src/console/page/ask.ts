/** Questions to the server. */
export interface Refusal {
  status: number;
  problem: string;
  left?: string;
  next?: string;
}

export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.problem);
    this.refusal = refusal;
  }
}

export async function ask<T>(path: string, body?: object): Promise<T> {
  const response = await fetch(
    path,
    body === undefined
      ? { headers: { "x-rota-console": "1" } }
      : {
          method: "POST",
          headers: { "x-rota-console": "1", "content-type": "application/json" },
          body: JSON.stringify(body),
        },
  ).catch(() => undefined);
  if (!response) throw new Refused({ status: 0, problem: "the console does not answer" });
  const { ok, status } = response;
  if (!ok) {
    const said: Partial<Refusal> = await response.json().catch(() => ({}));
    throw new Refused({ problem: `answered ${status}`, ...said, status });
  }
  const answer: T = await response.json();
  return answer;
}
