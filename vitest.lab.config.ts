import { defineConfig } from "vitest/config";

/** The tests on real programs. They take minutes, and one at a time is enough for a small machine. */
export default defineConfig({
  test: {
    include: ["test/lab/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
  },
});
