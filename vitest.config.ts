import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";
import { machinesProblem, roomForTwoMachines } from "./test/support/machines.ts";

// Three projects, one after the other: `unit` shares its threads (pure code and small files; a file that calls git for
// more than a few seconds is `e2e`), `e2e` runs real programs three files at a time, since programs and scripted models wait
// for each other a part of their time, `vm` starts virtual machines, two files at a time where there is room. Where none can
// run, the closing line says why.
const vmTests = machinesProblem() === undefined ? ["test/**/*.vm.test.ts"] : [];

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closing-line-reporter.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.e2e.test.ts", "test/**/*.vm.test.ts"],
          pool: "threads",
          isolate: false,
          maxWorkers: "100%", // by default one less than there are cores: half of a small machine
          sequence: { groupOrder: 0 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
          setupFiles: ["test/support/property-seed.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.e2e.test.ts"],
          pool: "forks",
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          setupFiles: ["test/support/property-seed.ts"],
          hookTimeout: 300_000,
          globalSetup: ["test/support/build-once.ts"],
        },
      },
      {
        test: {
          name: "vm",
          include: vmTests,
          pool: "forks",
          maxWorkers: roomForTwoMachines() ? 2 : 1,
          sequence: { groupOrder: 2 },
          testTimeout: 300_000,
          setupFiles: ["test/support/property-seed.ts"],
          hookTimeout: 300_000,
          globalSetup: ["test/support/sandbox-images.ts"],
        },
      },
    ],
  },
});
