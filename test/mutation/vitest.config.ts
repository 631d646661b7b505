import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import type { Mutant } from "./mutants.ts";

// The unit tests over sources of which one has a mutant in it; the file itself stays as it is.

const mutant = JSON.parse(process.env["KEYFRAME_MUTANT"] ?? "null") as Mutant | null;

export default defineConfig({
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load(id) {
        if (mutant === null || id !== resolve(mutant.file)) return null;
        const source = readFileSync(id);
        return (
          source.subarray(0, mutant.start).toString("utf8") +
          mutant.replacement +
          source.subarray(mutant.end).toString("utf8")
        );
      },
    },
  ],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/**/*.e2e.test.ts", "test/**/*.vm.test.ts"],
    pool: "threads",
    isolate: false,
    bail: 1,
    testTimeout: 60_000,
    reporters: ["dot"],
    setupFiles: ["test/support/property-seed.ts"],
  },
});
