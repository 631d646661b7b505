import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeRandom } from "../../src/system/random.ts";
import type { BenchResult } from "../bench-result.ts";
import { median } from "../measure.ts";

interface Load {
  readonly name: string;
  readonly fio: readonly string[];
  readonly unit: "IOPS" | "MiB/s";
}

const randomReads16: Load = {
  name: "4 KiB random reads, 16 in flight",
  fio: ["--rw=randread", "--bs=4k", "--iodepth=16"],
  unit: "IOPS",
};

const loads: readonly Load[] = [
  { name: "4 KiB random reads, 1 in flight", fio: ["--rw=randread", "--bs=4k", "--iodepth=1"], unit: "IOPS" },
  randomReads16,
  {
    name: "1 MiB sequential reads, 4 in flight",
    fio: ["--rw=read", "--bs=1m", "--iodepth=4"],
    unit: "MiB/s",
  },
];

/** The same raw file served by us, by nbdkit and by qemu-nbd, read by fio's nbd engine in turn. Needs the built program. */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "kf-bench-"));
  const path = join(folder, "disk.raw");
  const sizeBytes = (tiny ? 4 : 256) * 1024 * 1024;
  const piece = createFakeRandom(3).bytes(1024 * 1024);
  writeFileSync(path, Buffer.concat(Array.from({ length: sizeBytes / piece.length }, () => piece)));
  const socket = (name: string) => join(folder, `${name}.sock`);
  const overlay = join(folder, "overlay");
  const servers = {
    keyframe: start("keyframe", process.execPath, [
      "dist/keyframe.cjs",
      "image",
      "serve",
      path,
      "--socket",
      socket("keyframe"),
    ]),
    "keyframe under an overlay": start("overlay", process.execPath, [
      "dist/keyframe.cjs",
      "image",
      "serve",
      path,
      "--overlay",
      overlay,
      "--socket",
      socket("overlay"),
    ]),
    nbdkit: start("nbdkit", "nbdkit", ["-f", "-U", socket("nbdkit"), "file", path]),
    "qemu-nbd": start("qemu", "qemu-nbd", [
      "-f",
      "raw",
      "-r",
      "-t",
      "--shared=8",
      "-k",
      socket("qemu"),
      path,
    ]),
  };

  function start(name: string, program: string, args: readonly string[]) {
    const child = spawn(program, args, { stdio: "ignore" });
    return { child, uri: `nbd+unix:///?socket=${socket(name)}`, socketPath: socket(name) };
  }

  try {
    for (const { child, socketPath } of Object.values(servers)) await untilListening(child, socketPath);
    const results: BenchResult[] = [];
    const rounds = tiny ? 1 : 5;
    for (const load of loads) {
      const rates = new Map<string, number[]>(Object.keys(servers).map((name) => [name, []]));
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, { uri }] of Object.entries(servers))
          rates.get(name)?.push(measure(load, uri, { tiny, folder }));
      }
      const peer = median(rates.get("qemu-nbd") ?? []);
      for (const [name, values] of rates) {
        const value = median(values);
        const { child, uri } = servers[name as keyof typeof servers];
        results.push({
          name: `${load.name}: ${name}, against qemu-nbd`,
          value,
          unit: load.unit,
          floor: peer,
          ratio: value / peer,
          peakMemoryBytes: peakMemoryBytes(child),
          resultHash: digestThrough(uri, folder),
        });
      }
    }
    results.push(await measureTwoConnections(servers.keyframe, { tiny, folder, disk: path }));
    return results;
  } finally {
    for (const { child } of Object.values(servers)) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function untilListening(child: ChildProcess, socketPath: string): Promise<void> {
  while (!existsSync(socketPath)) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Server {
  readonly child: ChildProcess;
  readonly uri: string;
}

/**
 * What a second thread could win: two clients with 16 reads in flight each, of one process, and of two processes that
 * serve the same file and share nothing (the bound for worker threads, which would have to share the cache's state).
 */
async function measureTwoConnections(
  first: Server,
  { tiny, folder, disk }: { readonly tiny: boolean; readonly folder: string; readonly disk: string },
): Promise<BenchResult> {
  const socketPath = join(folder, "second.sock");
  const args = ["dist/keyframe.cjs", "image", "serve", disk, "--socket", socketPath];
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  try {
    await untilListening(child, socketPath);
    const second = `nbd+unix:///?socket=${socketPath}`;
    const together = async (uris: readonly string[]) => {
      const rates = await Promise.all(
        uris.map((uri, index) => measureBeside(uri, { tiny, output: join(folder, `fio-${index}.json`) })),
      );
      return rates.reduce((sum, rate) => sum + rate, 0);
    };
    const one: number[] = [];
    const two: number[] = [];
    for (let round = 0; round < (tiny ? 1 : 5); round += 1) {
      one.push(await together([first.uri, first.uri]));
      two.push(await together([first.uri, second]));
    }
    return {
      name: "4 KiB random reads, two connections with 16 in flight: two processes, against one",
      value: median(two),
      unit: "IOPS",
      floor: median(one),
      ratio: median(two) / median(one),
      peakMemoryBytes: peakMemoryBytes(child),
      resultHash: digestThrough(second, folder),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

async function measureBeside(
  uri: string,
  { tiny, output }: { readonly tiny: boolean; readonly output: string },
): Promise<number> {
  const child = spawn("fio", fioArguments(randomReads16, uri, { tiny, output }), { stdio: "ignore" });
  await once(child, "exit");
  return parseFio(output).iops;
}

function fioArguments(
  load: Load,
  uri: string,
  { tiny, output }: { readonly tiny: boolean; readonly output: string },
): string[] {
  const limit = tiny ? ["--number_ios=50"] : ["--time_based", "--runtime=2"];
  const args = ["--name=load", "--ioengine=nbd", `--uri=${uri}`, ...load.fio, ...limit, "--randseed=7"];
  return [...args, "--output-format=json", `--output=${output}`];
}

interface FioRead {
  readonly iops: number;
  readonly bw_bytes: number;
}

/** The engine may print a line of its own before the document. */
function parseFio(output: string): FioRead {
  const text = readFileSync(output, "utf8");
  const document = JSON.parse(text.slice(text.indexOf("{"))) as {
    readonly jobs: readonly [{ readonly read: FioRead }];
  };
  return document.jobs[0].read;
}

function measure(
  load: Load,
  uri: string,
  { tiny, folder }: { readonly tiny: boolean; readonly folder: string },
): number {
  const output = join(folder, "fio.json");
  execFileSync("fio", fioArguments(load, uri, { tiny, output }), { stdio: "ignore" });
  const read = parseFio(output);
  return load.unit === "IOPS" ? read.iops : read.bw_bytes / 1024 / 1024;
}

/** All of them must serve the same bytes. */
function digestThrough(uri: string, folder: string): string {
  const copy = join(folder, "copy");
  execFileSync("nbdcopy", [uri, copy]);
  return createHash("sha256").update(readFileSync(copy)).digest("hex").slice(0, 16);
}

function peakMemoryBytes(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
