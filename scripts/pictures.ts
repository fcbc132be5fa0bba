/** The console in the middle of a real deploy → docs/console.png, docs/console-phone.png. `npx tsx scripts/pictures.ts` */
import { join } from "node:path";
import { consoleOf, openBrowser, openPage, phone, tokenFor } from "../test/lab/console.ts";
import { startLab } from "../test/lab/lab.ts";
import { startLoad } from "../test/lab/load.ts";
import { runRota } from "../test/lab/rota.ts";

const docs = join(import.meta.dirname, "../docs");

await using lab = await startLab({ nodes: 6, bootSeconds: 2, workers: 2 });
const inventory = await lab.inventory({ rollout: { batch: 2 } }, { fleet: "shop" });
const load = await startLoad({ urls: lab.balancers.map(({ url }) => url) });
const token = await tokenFor(lab, "ann", "operator");
await using served = await consoleOf(lab, inventory);
const browser = await openBrowser();
try {
  await runRota(lab, ["drain", "web6", "-i", inventory, "--reason", "disk swap", "--for", "2h"], {
    ROTA_BY: "bob",
  });
  const wide = await openPage(browser, served, token, { viewport: { width: 1180, height: 760 } });
  const narrow = await openPage(browser, served, token, {
    viewport: phone,
    deviceScaleFactor: 1.5,
    isMobile: true,
    colorScheme: "dark",
  });
  await wide.getByRole("button", { name: "Deploy…" }).click();
  await wide.getByLabel("RELEASE").fill("42");
  await wide.getByLabel("Reason").fill("faster checkout");
  await wide.getByRole("dialog").locator("pre").waitFor();
  if (process.argv[2] !== undefined) await wide.screenshot({ path: join(process.argv[2], "dialog.png") });
  await wide.getByRole("button", { name: "Deploy to the whole fleet" }).click();
  const moment = /web[34] (check|restart)/;
  await Promise.all([wide, narrow].map((page) => page.getByText(moment).first().waitFor()));
  await narrow.screenshot({ path: join(docs, "console-phone.png") });
  await wide.screenshot({ path: join(docs, "console.png") });
  await wide.getByText("done, ").waitFor({ timeout: 60_000 });
  if (process.argv[2] !== undefined) {
    await wide.screenshot({ path: join(process.argv[2], "ended.png"), fullPage: true });
    await narrow.screenshot({ path: join(process.argv[2], "ended-phone.png"), fullPage: true });
    await wide.getByRole("link", { name: "History" }).click();
    await wide.waitForTimeout(500);
    await wide.screenshot({ path: join(process.argv[2], "history.png"), fullPage: true });
  }
} finally {
  await browser.close();
  await load.stop();
}
