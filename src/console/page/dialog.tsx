import { useEffect, useRef, useState } from "preact/hooks";
import type { RunView } from "../view.ts";
import { Refused, type Refusal, ask } from "./ask.ts";
import type { Me } from "./model.ts";

export type Wish =
  | { do: "drain" | "ready" | "rotate" | "deploy"; nodes: string[] }
  | { do: "pause" }
  | { do: "resume" | "abort"; run: RunView };

/** Milliseconds: after the last key; until what will happen is asked for again. */
const [settled, anew] = [250, 2_000];

interface Props {
  wish: Wish;
  me: Me;
  onClose: () => void;
}

/** Nothing is done without this: what will happen, to which nodes, what it means for capacity, and why. */
export function ActDialog({ wish, me, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [set, setSet] = useState<Record<string, string>>({});
  const [lines, setLines] = useState<string[]>([]);
  const [refusal, setRefusal] = useState<Refusal | undefined>();
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  // Not by taking it off the page: closed, it gives the focus back to where it was.
  const close = (): void => dialog.current?.close();
  const failed =
    wish.do === "resume" ? wish.run.nodes.filter(({ end }) => end === "out").map(({ name }) => name) : [];
  const [retry, setRetry] = useState(true);
  const body = bodyOf(wish, { reason, until, set, retry, failed });
  const takesValues = wish.do === "deploy" || wish.do === "ready" || wish.do === "rotate";
  const isReady =
    (wish.do !== "drain" || reason.trim() !== "") &&
    (wish.do !== "deploy" || me.needs.every((key) => set[key]));
  const preview = JSON.stringify(wish.do === "deploy" ? body : { ...body, reason: "x" });
  useEffect(() => {
    setLines([]);
    if (wish.do === "deploy" && !isReady) return undefined;
    const look = (): void =>
      void ask<{ lines: string[] }>("/api/preview", JSON.parse(preview)).then(
        (answer) => setLines(answer.lines),
        (thrown: Error) => setLines([thrown.message]),
      );
    const timer = setTimeout(look, settled);
    // The fleet moves on while somebody thinks; a plan of a deploy asks every balancer.
    const again = wish.do === "deploy" ? undefined : setInterval(look, anew);
    return () => {
      clearTimeout(timer);
      clearInterval(again);
    };
  }, [preview]);
  const send = (event: Event): void => {
    event.preventDefault();
    if (!isReady || busy) return;
    setBusy(true);
    ask("/api/acts", body).then(close, (thrown: unknown) => {
      setBusy(false);
      setRefusal(thrown instanceof Refused ? thrown.refusal : { status: 0, problem: String(thrown) });
    });
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="act">
      <form onSubmit={send}>
        <h2 id="act">{titleOf(wish)}</h2>
        {takesValues &&
          me.needs.map((key) => (
            <label key={key}>
              {key}
              {wish.do === "deploy" ? "" : " (else what its last deploy was given)"}
              <input
                required={wish.do === "deploy"}
                value={set[key] ?? ""}
                onInput={(event) => setSet({ ...set, [key]: event.currentTarget.value })}
              />
            </label>
          ))}
        <label>
          Reason{wish.do === "drain" ? "" : " (may be left out)"}
          <input
            required={wish.do === "drain"}
            maxLength={500}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {wish.do === "drain" && (
          <label>
            For how long (30m, 2h; may be left out; it never comes back by itself)
            <input
              pattern="\d+(\.\d+)?(m|h|d)"
              value={until}
              onInput={(event) => setUntil(event.currentTarget.value)}
            />
          </label>
        )}
        {failed.length > 0 && (
          <label class="tick">
            <input
              type="checkbox"
              checked={retry}
              onChange={(event) => setRetry(event.currentTarget.checked)}
            />
            try {failed.join(", ")} again (otherwise left as {failed.length === 1 ? "it is" : "they are"})
          </label>
        )}
        <div class="preview" aria-live="polite">
          {lines.length > 0 && <pre tabIndex={0}>{lines.join("\n")}</pre>}
        </div>
        {refusal && (
          <div role="alert" class="problem">
            <p>{refusal.problem}</p>
            {refusal.left && <p>{refusal.left}</p>}
          </div>
        )}
        <div class="hands">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={wish.do === "abort" ? "danger" : "main"} disabled={!isReady || busy}>
            {titleOf(wish)}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function titleOf(wish: Wish): string {
  switch (wish.do) {
    case "drain":
      return `Drain ${listed(wish.nodes)}`;
    case "ready":
      return `Put back ${listed(wish.nodes)}`;
    case "rotate":
      return `Rotate ${listed(wish.nodes)}`;
    case "deploy":
      return `Deploy to ${wish.nodes.length === 0 ? "the whole fleet" : listed(wish.nodes)}`;
    case "pause":
      return "Pause after this node";
    case "resume":
      return `Go on with run ${wish.run.run}`;
    case "abort":
      return `Abort run ${wish.run.run}`;
  }
}

const listed = (nodes: string[]): string =>
  nodes.length <= 4 ? nodes.join(", ") : `${nodes.slice(0, 3).join(", ")} and ${nodes.length - 3} more`;

interface Typed {
  reason: string;
  until: string;
  set: Record<string, string>;
  retry: boolean;
  failed: string[];
}

function bodyOf(wish: Wish, { reason, until, set, retry, failed }: Typed): object {
  const given = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== ""));
  const why = reason.trim() ? { reason: reason.trim() } : {};
  switch (wish.do) {
    case "drain":
      return { do: "drain", nodes: wish.nodes, ...why, ...(until ? { for: until } : {}) };
    case "ready":
    case "rotate":
      return { do: wish.do, nodes: wish.nodes, set: given, ...why };
    case "deploy":
      return { do: "deploy", nodes: wish.nodes, set: given, ...why };
    case "pause":
      return { do: "pause", ...why };
    case "resume":
      return {
        do: "resume",
        run: wish.run.run,
        ...(failed.length === 0 ? {} : retry ? { retry } : { skip: failed }),
        ...why,
      };
    case "abort":
      return { do: "abort", run: wish.run.run, ...why };
  }
}
