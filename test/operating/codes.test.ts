import { expect, test, vi } from "vitest";
import { errorCodes } from "../../src/base/errors.ts";
import type { FakeSite, Said } from "../fakes/site.ts";
import { entriesIn, masked, page } from "./page.ts";
import { lines } from "./lines.ts";
import { beforeNodes } from "./scenes-before.ts";
import { atNodes } from "./scenes-nodes.ts";
import { type Scene, deploy } from "./situation.ts";
import { firstCommand, typeElsewhere, wordsIn } from "./typed.ts";

vi.setConfig({ maxConcurrency: 4 });

const scenes = [...beforeNodes, ...atNodes];

const messageOf = ({ err }: Said): string => err.slice(err.lastIndexOf("rota: "));

const codeOf = ({ out }: Said): unknown =>
  out
    .split("\n")
    .map((line): { code?: string; error?: { code: string } } => JSON.parse(line || "{}"))
    .map(({ code, error }) => code ?? error?.code)
    .findLast(Boolean);

const nextOf = (message: string): string => /^ {2}next: {2}(.*)$/m.exec(message)?.[1] ?? "";

async function typeNext(typed: string, site: FakeSite, words: string[]): Promise<number | "fails"> {
  if (typed.startsWith("the same")) {
    const more = /^the same with (.*)$/.exec(typed)?.[1] ?? "";
    return (await site.rota(...words, ...(more ? await wordsIn(more) : []))).code;
  }
  if (!typed.startsWith("rota ")) return (await typeElsewhere(typed)) === 0 ? 0 : "fails";
  const said = await site.typed((await wordsIn(typed)).slice(1));
  return said.code;
}

async function play(scene: Scene): Promise<void> {
  const { code, site: make, begin, mend, ends = 0, again, states } = scene;
  await using site = await make();
  await begin?.(site);
  const words = typeof scene.words === "function" ? await scene.words(site) : (scene.words ?? deploy);
  const said = await site.rota(...words, "--json");
  const message = messageOf(said);
  expect(codeOf(said), said.err).toBe(code);
  const quoted = entriesIn(page()).get(scene.what ?? code)?.[0] ?? "";
  const typed = firstCommand(nextOf(message));
  if (ends !== "fails") await mend?.(site);
  expect(await typeNext(typed, site, words), typed).toBe(ends);
  if (ends === "fails") await mend?.(site);
  if (again === "after ssh") await typeElsewhere(firstCommand(nextOf(message).split("; then ")[1] ?? ""));
  if (again) expect((await site.rota(...words)).code).toBe(0);
  expect(site.names.map((node) => site.stateOf(node))).toEqual(states ?? site.names.map(() => "ready"));
  expect(masked(message)).toBe(masked(quoted));
}

const named = (scene: Scene): [string, Scene] => [scene.what ?? scene.code, scene];

test.concurrent.each(scenes.filter(({ alone }) => !alone).map(named))(
  "%s: its next line works as it stands",
  (_, scene) => play(scene),
);

test.each(scenes.filter(({ alone }) => alone).map(named))(
  "%s: its next line works as it stands",
  (_, scene) => play(scene),
);

test("every code has an entry and a situation", () => {
  const played = new Set<string>(scenes.map(({ code }) => code));
  expect(errorCodes.filter((code) => !played.has(code))).toEqual([]);
  expect(errorCodes.filter((code) => !entriesIn(page()).has(code))).toEqual([]);
  const quoted = [...entriesIn(page())].flatMap(([heading, [message]]) => (message ? [heading] : []));
  const all = [...scenes.map(({ code, what }) => what ?? code), ...lines.map(({ what }) => what)];
  expect(quoted.toSorted()).toEqual(all.toSorted());
});
