import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { equivalentMutants } from "./equivalent.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";

// node --import ./scripts/typescript.mjs test/mutation/run.ts [--sample n] [--seed n] [area...]
//
// Changes the sources of an area in one small way after the other and runs the unit tests that must notice. It samples
// the same mutants for the same seed; those that survive are printed, and none may.

/** The areas, each with the unit tests that hold it. */
const areas: Readonly<Record<string, readonly string[]>> = {
  "src/authorship/rules": ["test/authorship/rules", "test/authorship/note"],
  "src/journal": ["test/journal", "test/authorship/settle"],
  "src/blocks/formats": ["test/blocks/formats", "test/blocks/images", "test/blocks/overlay"],
  "src/nbd": ["test/nbd"],
  "src/sandbox/memory": ["test/sandbox/memory"],
  "src/transcripts/redaction": ["test/transcripts/redaction/", "test/transcripts/decorated"],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
const sample = Number(values.sample);
const chosen = positionals.length > 0 ? positionals : Object.keys(areas);
const print = (line: string) => void process.stdout.write(`${line}\n`);

type Outcome = "killed" | "survived" | "equivalent";

/** How many survived. */
async function mutateAll(): Promise<number> {
  let survivors = 0;
  for (const area of chosen) {
    const tests = areas[area];
    if (tests === undefined) throw new Error(`${area} is not one of ${Object.keys(areas).join(", ")}`);
    const all = readdirSync(area, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .flatMap((name) => mutantsOf(join(area, name)));
    const picked = shuffled(all, Number(values.seed)).slice(0, sample);
    const outcomes = await inParallel(picked, (mutant) => tryMutant(mutant, tests));
    const count = (outcome: Outcome) => outcomes.filter((each) => each === outcome).length;
    survivors += count("survived");
    print(
      `${area}: ${picked.length} of ${all.length} mutants, ${count("killed")} killed, ${count("equivalent")} equivalent, ${count("survived")} survived`,
    );
  }
  return survivors;
}

async function tryMutant(mutant: Mutant, tests: readonly string[]): Promise<Outcome> {
  const name = `${mutant.file}:${mutant.line}  ${mutant.change}`;
  if (equivalentMutants.some(({ file, change }) => file === mutant.file && change === mutant.change))
    return "equivalent";
  if (await failsWith(mutant, tests)) return "killed";
  print(`  survived: ${name}`);
  return "survived";
}

/** A mutant that does not end is noticed too. */
const longestRunMs = 120_000;

function failsWith(mutant: Mutant, tests: readonly string[]): Promise<boolean> {
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--config",
    "test/mutation/vitest.config.ts",
    "--root",
    ".",
  ];
  const child = spawn(process.execPath, [...args, ...tests], {
    env: { ...process.env, KEYFRAME_MUTANT: JSON.stringify(mutant) },
    stdio: "ignore",
    detached: true,
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), longestRunMs);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

/** Mulberry32 under Fisher and Yates. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const list = [...items];
  for (let last = list.length - 1; last > 0; last -= 1) {
    const at = Math.floor(random() * (last + 1));
    [list[last], list[at]] = [list[at] as T, list[last] as T];
  }
  return list;
}

process.exitCode = (await mutateAll()) === 0 ? 0 : 1;
