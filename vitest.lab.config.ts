import { defineConfig } from "vitest/config";

const common = {
  // A machine that stalls for some seconds is not what is tested; what is broken fails twice, and it is reported.
  retry: 1,
  testTimeout: 600_000,
  hookTimeout: 300_000,
  // No developer's own ~/.ssh/config; the programs that a lab starts have it from here.
  env: { ROTA_SSH_CONFIG: "none" },
};

/** What is measured, races for a millisecond, or has every kill share one count of lost requests, has the machine for itself. */
const alone = ["cost", "race", "startup", "chaos"].map((name) => `test/lab/${name}.test.ts`);

/** The tests on real programs. They take minutes, most of them in waiting: two at a time are enough for two cores: three take as long, and starve one another. */
export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 0 } } },
      {
        test: {
          ...common,
          name: "lab",
          include: ["test/lab/**/*.test.ts"],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
