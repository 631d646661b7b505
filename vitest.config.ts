import { defineConfig } from "vitest/config";

// Three projects: `unit` shares its threads (pure code and small files), `e2e` runs real programs one file at a time,
// `vm` starts virtual machines (npm run test:vm).
export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closing-line-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.e2e.test.ts", "test/**/*.vm.test.ts"],
          pool: "threads",
          isolate: false,
          testTimeout: 60_000,
          setupFiles: ["test/support/property-seed.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.e2e.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 300_000,
          setupFiles: ["test/support/property-seed.ts"],
          hookTimeout: 300_000,
          globalSetup: ["test/support/build-once.ts"],
        },
      },
      {
        test: {
          name: "vm",
          include: ["test/**/*.vm.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 300_000,
          setupFiles: ["test/support/property-seed.ts"],
          hookTimeout: 300_000,
          globalSetup: ["test/support/build-once.ts", "test/support/sandbox-images.ts"],
        },
      },
    ],
  },
});
