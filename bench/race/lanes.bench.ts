import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { prepareLaneFiles } from "../../src/race/lanes/base-files.ts";
import { makeLane } from "../../src/race/lanes/lane-worktree.ts";
import type { RaceRecord } from "../../src/race/race-record.ts";
import { createRace } from "../../src/race/start-race.ts";
import { nodeCopyTree } from "../../src/system/files/copy-tree.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { withOverlays } from "../../src/system/process/overlays.ts";
import type { BenchResult } from "../bench-result.ts";
import { median } from "../measure.ts";

/** A checkout with ignored dependencies: how long a lane takes until its command runs, and what it needs of the disk. */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const root = mkdtempSync(join(tmpdir(), "kf-bench-race-"));
  try {
    const folder = makeCheckout(
      root,
      tiny ? { tracked: 20, ignored: 50 } : { tracked: 5000, ignored: 20_000 },
    );
    return await measure({ root, folder, rounds: tiny ? 1 : 5 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function makeCheckout(
  root: string,
  { tracked, ignored }: { readonly tracked: number; readonly ignored: number },
): string {
  const folder = join(root, "work");
  mkdirSync(folder);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder });
  git("init", "-q", "-b", "main");
  const fill = (top: string, count: number, size: number) => {
    for (let file = 0; file < count; file += 1) {
      const place = join(folder, top, `d${Math.floor(file / 40)}`);
      if (file % 40 === 0) mkdirSync(place, { recursive: true });
      writeFileSync(join(place, `f${file}.js`), `// ${top} ${file}\n`.padEnd(size, "x"));
    }
  };
  writeFileSync(join(folder, ".gitignore"), "node_modules/\n");
  fill("src", tracked, 4000);
  fill("node_modules", ignored, 6000);
  git("add", "-A");
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
  git(...who, "commit", "-q", "-m", "start");
  return folder;
}

interface Place {
  readonly root: string;
  readonly folder: string;
  readonly rounds: number;
}

async function measure({ root, folder, rounds }: Place): Promise<BenchResult[]> {
  const who = { NAME: "a", EMAIL: "a@example.com" };
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: root, XDG_STATE_HOME: join(root, "state") };
  for (const role of ["AUTHOR", "COMMITTER"])
    for (const [name, value] of Object.entries(who)) env[`GIT_${role}_${name}`] = value;
  const deps = { ...nodeMachine, env, copyTree: nodeCopyTree };
  const git = openGit(mustFindRepository(folder, deps), deps.processes, env);
  const race = await createRace(git, deps, {
    prompt: "x",
    lanes: [],
    checks: [],
    limitMs: 1000,
    limits: {},
    parallel: 1,
  });
  const prepareStart = performance.now();
  const files = await prepareLaneFiles(git, deps, race);
  const prepareMs = performance.now() - prepareStart;
  const times: Record<"lane" | "worktree" | "copy", number[]> = { lane: [], worktree: [], copy: [] };
  for (let round = 0; round < rounds; round += 1) {
    times.worktree.push(
      timed(() =>
        execFileSync("git", ["worktree", "add", "-q", "--detach", join(root, `plain-${round}`)], {
          cwd: folder,
        }),
      ),
    );
    const start = performance.now();
    const { view, directory } = await makeLane(git, deps, {
      race,
      name: `lane-${round}`,
      files,
      personal: [],
    });
    const command = ["test", "-e", "src/d0/f0.js"];
    const [program = "", ...args] =
      view === undefined ? command : withOverlays(view, command, { contained: true });
    execFileSync(program, args, { cwd: directory });
    times.lane.push(performance.now() - start);
  }
  times.copy.push(timed(() => cpSync(folder, join(root, "copy"), { recursive: true })));
  const laneKb = diskKb(lanePaths(race, "lane-0"));
  const copyKb = diskKb([join(root, "copy")]);
  const [lane, floor, copy] = [median(times.lane), median(times.worktree), median(times.copy)];
  const resultHash = createHash("sha256")
    .update(`${files.by} ${files.ignored.join()}`)
    .digest("hex")
    .slice(0, 16);
  return [
    {
      name: `start of a lane, files by ${files.by}; floor: git worktree add`,
      value: lane,
      unit: "ms",
      floor,
      ratio: lane / floor,
      resultHash,
    },
    {
      name: "once a race: the base's files",
      value: prepareMs,
      unit: "ms",
      floor,
      ratio: prepareMs / floor,
      resultHash,
    },
    {
      name: "disk of a lane; floor: of a copy",
      value: laneKb,
      unit: "KB",
      floor: copyKb,
      ratio: laneKb / copyKb,
      resultHash,
    },
    {
      name: "a copy of all files, over git worktree add",
      value: copy,
      unit: "ms",
      floor,
      ratio: copy / floor,
      resultHash,
    },
  ];
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

function lanePaths({ directory }: RaceRecord, name: string): string[] {
  return [join(directory, name), join(directory, ".layers", name)];
}

function diskKb(paths: readonly string[]): number {
  const total = execFileSync("du", ["-skc", ...paths], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return Number(/(\d+)\ttotal/.exec(total)?.[1]);
}
