/** The page: who is there, what there is to see, and the hands. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { BegunList } from "./begun.tsx";
import { ActDialog, type Wish } from "./dialog.tsx";
import { FleetTable } from "./fleet.tsx";
import { History } from "./history.tsx";
import type { Me, Model } from "./model.ts";
import { RunPanel } from "./run.tsx";
import { ask } from "./ask.ts";
import { SignIn } from "./sign-in.tsx";
import { useModel } from "./use-model.ts";

function Page() {
  const [me, setMe] = useState<Me | "nobody" | undefined>();
  useEffect(() => void signInByAddress().then(setMe), []);
  if (me === undefined) return <p class="waiting">…</p>;
  if (me === "nobody") return <SignIn onSignedIn={() => void whoAmI().then(setMe)} />;
  return <Console me={me} onGone={() => setMe("nobody")} />;
}

/** A token in the address (after "#", so that no server or log sees it) signs in, and is taken off at once. */
async function signInByAddress(): Promise<Me | "nobody"> {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) {
    history.replaceState(null, "", "/");
    await ask("/api/sign-in", { token }).catch(() => undefined);
  }
  return whoAmI();
}

const whoAmI = (): Promise<Me | "nobody"> => ask<Me>("/api/me").catch((): "nobody" => "nobody");

function Console({ me, onGone }: { me: Me; onGone: () => void }) {
  const model = useModel(onGone);
  const [place, setPlace] = usePlace();
  const [wish, setWish] = useState<Wish | undefined>();
  const { fleet } = model;
  const canAct = me.role === "operator";
  useEffect(() => void (document.title = `${me.fleet} · rota`), [me.fleet]);
  return (
    <>
      <header>
        <h1>{me.fleet}</h1>
        <nav aria-label="Views">
          {(["fleet", "history"] as const).map((name) => (
            <a href={`#${name}`} aria-current={place.view === name ? "page" : undefined} key={name}>
              {name === "fleet" ? "Fleet" : "History"}
            </a>
          ))}
        </nav>
        <p class="who">
          {me.name} <span class="role">{me.role}</span>{" "}
          <button type="button" class="quiet" onClick={() => void ask("/api/sign-out", {}).finally(onGone)}>
            Sign out
          </button>
        </p>
      </header>
      <main>
        <Trouble model={model} />
        {fleet && (
          <ul class="capacity" aria-label="Servers that serve">
            {fleet.places.map((name, i) => {
              const [serving = 0, all = 0] = fleet.capacity[i] ?? [];
              return (
                <li key={name} class={serving < all ? "busy" : "good"}>
                  {name} <b>{serving}</b> of {all} serving
                </li>
              );
            })}
          </ul>
        )}
        {fleet && fleet.alerts.length > 0 && (
          <ul class="alerts" aria-label="What needs somebody">
            {fleet.alerts.map(({ tone, text }) => (
              <li class={tone} key={text}>
                <span aria-hidden="true">{tone === "bad" ? "!" : "~"}</span> {text}
              </li>
            ))}
          </ul>
        )}
        <BegunList begun={model.begun} seen={model.run?.run} />
        {model.run && model.run.run !== place.run && (
          <RunPanel run={model.run} canAct={canAct} onWish={setWish} />
        )}
        {place.view === "fleet" && fleet && <FleetTable fleet={fleet} canAct={canAct} onWish={setWish} />}
        {place.view === "history" && (
          <History
            run={place.run}
            onOpen={(run) => setPlace("history", run)}
            onWish={setWish}
            canAct={canAct}
            now={model.run}
          />
        )}
      </main>
      {wish && <ActDialog wish={wish} me={me} onClose={() => setWish(undefined)} />}
    </>
  );
}

function Trouble({ model: { connected, trouble } }: { model: Model }) {
  const text = connected ? trouble : "not connected: what is shown may be old; trying again";
  return (
    <p role="status" class={text ? "trouble" : "fine"}>
      {text}
    </p>
  );
}

interface Place {
  view: "fleet" | "history";
  run: string | undefined;
}

/** Where one is stands in the address, so that a reload loses nothing. */
function usePlace(): [Place, (view: Place["view"], run?: string) => void] {
  const read = (): Place => {
    const [view, run] = location.hash.slice(1).split("/");
    return { view: view === "history" ? "history" : "fleet", run: run || undefined };
  };
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const moved = (): void => setPlace(read());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return [place, (view, run) => void (location.hash = run ? `${view}/${run}` : view)];
}

render(<Page />, document.body);
