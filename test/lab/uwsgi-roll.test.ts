import { expect, test } from "vitest";
import { rollUnderLoad } from "./rolling.ts";
import { startUwsgi } from "./uwsgi.ts";

test("good", async () => {
  await using uwsgi = await startUwsgi({ bootSeconds: 1 });
  const good = await rollUnderLoad(uwsgi, await uwsgi.switchTo("2"));
  console.log(good.text, good.load, good.fewestReady, good.seconds, good.bootSeconds);
  expect(good.code, good.text).toBe(0);
  const bad = await rollUnderLoad(uwsgi, await uwsgi.switchTo("3", "third-import"));
  console.log(bad.text, bad.load, bad.fewestReady, bad.seconds, bad.secondsBroken);
  expect(bad.code).toBe(1);
  console.log(await uwsgi.runs());
});
