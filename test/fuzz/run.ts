// npm run fuzz -- <name> [--runs n] [--seed s]: hostile inputs for one border. A crash, no progress for two seconds, and memory
// over a bound are failures; each names the seed of the batch, which is all that is needed to see it again.
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fuzzers } from "./fuzzers.ts";

const batchRuns = 100;
const maxSilenceMs = 2000;
const maxMemoryBytes = 1024 * 1024 * 1024;

interface Work {
  readonly name: string;
  readonly runs: number;
  readonly seed: number;
}

if (isMainThread) start();
else await work(workerData as Work);

function start(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
  });
  const [name = ""] = positionals;
  if (fuzzers[name] === undefined) {
    process.stderr.write(`name one of ${Object.keys(fuzzers).join(", ")}\n`);
    process.exit(2);
  }
  watch({ name, runs: Number(values.runs), seed: Number(values.seed) });
}

function watch(job: Work): void {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  let seed = job.seed;
  let heardAt: number | undefined;
  const fail = (why: string) => {
    process.stderr.write(
      `${job.name} failed: ${why}; again: npm run fuzz -- ${job.name} --runs ${batchRuns} --seed ${seed}\n`,
    );
    process.exit(1);
  };
  const timer = setInterval(() => {
    // the clock starts with the first batch: before it the worker loads
    if (heardAt !== undefined && performance.now() - heardAt > maxSilenceMs) fail("no progress");
    if (process.memoryUsage().rss > maxMemoryBytes) fail("too much memory");
  }, 200);
  worker.on("message", (next: number) => {
    seed = next;
    heardAt = performance.now();
  });
  worker.on("error", (error) => fail(error.stack ?? error.message));
  worker.on("exit", (code) => {
    clearInterval(timer);
    if (code !== 0) fail(`it ended with ${code}`);
    process.stdout.write(`${job.name}: ${job.runs} inputs from seed ${job.seed}, no failure\n`);
  });
}

async function work({ name, runs, seed }: Work): Promise<void> {
  const fuzz = fuzzers[name];
  for (let done = 0; fuzz !== undefined && done < runs; done += batchRuns) {
    const next = seed + done / batchRuns;
    parentPort?.postMessage(next);
    await fuzz({ runs: Math.min(batchRuns, runs - done), seed: next });
  }
}
