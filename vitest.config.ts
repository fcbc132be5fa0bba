import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/lab/**"],
    // A machine that stalls for some seconds is not what is tested; what is broken fails twice, and it is reported.
    retry: 1,
    // Whole runs, on a machine that may be busy.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    // No developer's own ~/.ssh/config.
    env: { ROTA_SSH_CONFIG: "none" },
  },
});
