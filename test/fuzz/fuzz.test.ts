import { expect, test } from "vitest";
import { fuzzers } from "./fuzzers.ts";

// a few inputs of each, always the same; `npm run fuzz` looks at as many others as one likes
test.each(Object.entries(fuzzers))(
  "hostile %s end in an answer or in an error of ours",
  async (_name, fuzz) => {
    for (let seed = 1; seed <= 3; seed += 1) expect(await fuzz({ runs: 200, seed })).toBeGreaterThan(0);
  },
);
