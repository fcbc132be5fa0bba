import type { Begun } from "../started.ts";

/** Milliseconds for which what went well stays in view. */
const shownFor = 30_000;

/**
 * What was begun from the console, by anybody: what runs, what ended just now, what failed.
 *
 * @param seen the run that is told anyway, but for what to do next
 */
export function BegunList({ begun, seen }: { begun: Begun[]; seen: string | undefined }) {
  const now = Date.now();
  const shown = begun
    .filter(({ code, at }) => code !== 0 || now - Date.parse(at) < shownFor)
    .filter(({ run, problem }) => problem !== undefined || run === undefined || run !== seen)
    .slice(0, 5);
  if (shown.length === 0) return null;
  return (
    <ul class="begun" aria-label="Begun here" aria-live="polite">
      {shown.map(({ id, what, by, code, problem, left, next, run }) => (
        <li key={id} class={code === undefined ? "busy" : code === 0 ? "good" : "bad"}>
          <b>{what}</b> by {by}: {code === undefined ? "under way" : code === 0 ? "done" : "not done"}
          {run && (
            <>
              {" "}
              <a href={`#history/${run}`}>run {run}</a>
            </>
          )}
          {problem && <pre>{problem}</pre>}
          {left && <p>How it was left: {left}</p>}
          {next?.split("\n").map((line) => (
            <p key={line}>
              Next: <code>{line}</code>
            </p>
          ))}
        </li>
      ))}
    </ul>
  );
}
