/** What `rota status` can show first, and what is typed then. */
import { expect, test, vi } from "vitest";
import { fakeSite } from "../fakes/site.ts";
import { entriesIn, masked, nextIn, page } from "./page.ts";
import { type Shown, lines } from "./lines.ts";
import { failing } from "./situation.ts";
import { firstCommand, wordsIn } from "./typed.ts";

vi.setConfig({ maxConcurrency: 4 });

test.concurrent.each(lines.map((shown): [string, Shown] => [shown.what, shown]))(
  "%s: what is typed next works as it stands",
  async (what, { line, begin, mend, states = ["ready", "ready"] }) => {
    await using site = await fakeSite(failing);
    await begin(site);
    const { out } = await site.rota("status");
    const said = out.split("\n").find((text) => line.test(text)) ?? "";
    const [quoted = "", entry = ""] = entriesIn(page()).get(what) ?? [];
    await mend?.(site);
    const typed = said.includes(": rota ")
      ? await wordsIn(firstCommand(said.slice(said.indexOf(": rota "))))
      : [...(await wordsIn(nextIn(entry))), "-i", site.inventory];
    const { code, err } = await site.typed(typed.slice(1));
    expect(code, err).toBe(0);
    expect(site.names.map((node) => site.stateOf(node))).toEqual(states);
    expect((await site.rota("status")).out).not.toMatch(new RegExp(line.source, "m"));
    expect(masked(said)).toBe(masked(quoted));
  },
);
