import { expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import { refuse } from "../../src/cli/refuse.ts";

const refusal = (code: "HOST_LOGIN" | "CAPACITY", problem: string, next: string): RotaError =>
  new RotaError(code, { problem, next });

const thrownBy = (refusals: RotaError[]): RotaError => {
  try {
    refuse({ refusals }, "shop.yml");
  } catch (thrown) {
    if (thrown instanceof RotaError) return thrown;
  }
  throw new Error("nothing was refused");
};

test("of a hundred hosts that refuse a key, some are named, with how many more; what else is wrong is not lost", () => {
  const hosts = Array.from({ length: 100 }, (_, i) =>
    refusal("HOST_LOGIN", `web${i + 1}: refused`, "ssh-add -l"),
  );
  const { code, message, next } = thrownBy([
    ...hosts,
    refusal("CAPACITY", "too few would serve", "rota status"),
  ]);
  expect(code).toBe("HOST_LOGIN");
  expect(message.split("\n")).toEqual([
    ...Array.from({ length: 8 }, (_, i) => `web${i + 1}: refused`),
    "too few would serve",
    "and 92 more with HOST_LOGIN: rota doctor -i shop.yml looks at each",
  ]);
  expect(next).toBe("ssh-add -l\nrota status");
});
