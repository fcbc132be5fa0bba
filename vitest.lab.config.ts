import { defineConfig } from "vitest/config";

/** The tests on real programs. They take minutes, and one at a time is enough for a small machine. */
export default defineConfig({
  test: {
    include: ["test/lab/**/*.test.ts"],
    fileParallelism: false,
    // A machine that stalls for some seconds is not what is tested; what is broken fails twice, and it is reported.
    retry: 1,
    testTimeout: 120_000,
  },
});
