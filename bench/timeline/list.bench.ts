import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { cpuInTurn, median, runNode, timeInTurn } from "../measure.ts";
import { keyframeProgram } from "../support/program.ts";

/** `timeline` of 1,000 moments against bare node: ten sessions of 80 turns each, 100 commits, 100 marks. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "kf-timeline-"));
  try {
    const turns = tiny ? 2 : 80;
    const others = tiny ? 2 : 100;
    makeMoments(folder, { sessions: 10, turns, others });
    const moments = 10 * turns + 2 * others;
    const rounds = tiny ? 1 : 15;
    const env = { ...process.env, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" };
    const timeline = (...args: string[]) =>
      runNode({ args: [keyframeProgram, "timeline", ...args], cwd: folder, env });
    const all = JSON.parse(timeline("--all", "--limit", String(moments), "--json").toString("utf8")) as {
      title: string;
    }[];
    const actions = {
      newest: () => void timeline(),
      all: () => void timeline("--all", "--limit", String(moments)),
      node: () => void runNode({ args: ["-e", "0"] }),
    };
    const times = timeInTurn(rounds, actions);
    const cpu = cpuInTurn(rounds, actions);
    const floor = median(times.node);
    const resultHash = sha256Hex(all.map(({ title }) => title).join("\n")).slice(0, 12);
    const row = (name: string, key: "newest" | "all"): BenchResult => ({
      name: `timeline of ${all.length} moments, ${name}`,
      value: median(times[key]),
      unit: "ms",
      floor,
      ratio: median(times[key]) / floor,
      cpuMs: cpu[key],
      resultHash,
    });
    return [row("the newest 50", "newest"), row("all", "all")];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const startSeconds = 1_770_000_000;

/** Snapshots of turns and marks as hooks make them, each with another file, in one stream for git. */
function makeMoments(
  folder: string,
  { sessions, turns, others }: { readonly sessions: number; readonly turns: number; readonly others: number },
): void {
  const git = (args: readonly string[], input = "") => execFileSync("git", args, { cwd: folder, input });
  git(["init", "-q", "-b", "main"]);
  const stream: string[] = [];
  let seconds = startSeconds;
  const commit = (ref: string, message: string) => {
    seconds += 1;
    const path = `file-${seconds % 50}.txt`;
    stream.push(`commit ${ref}`, `committer A <a@example.com> ${seconds} +0000`, data(message));
    stream.push(`M 100644 inline ${path}`, data(`${seconds}\n`));
  };
  const at = () => new Date((seconds + 1) * 1000).toISOString();
  for (let each = 0; each < others; each += 1) commit("refs/heads/main", `commit ${each}`);
  const shared = { version: 1, base: "initial", worktree: "", untaken: 0 };
  for (let session = 0; session < sessions; session += 1) {
    const id = `8b9f5a4e-0000-4000-8000-${String(session).padStart(12, "0")}`;
    for (let turn = 0; turn < turns; turn += 1) {
      const facts = { ...shared, tool: "claude", session: id, turn, turnId: `t${turn}`, at: at() };
      commit(
        `refs/keyframe/turns/s_${session}`,
        `snapshot\n\n${JSON.stringify({ ...facts, prompt: `prompt ${turn}` })}`,
      );
    }
  }
  for (let mark = 0; mark < others; mark += 1) {
    const facts = { ...shared, kind: "mark", title: `mark ${mark}`, at: at(), sessions: [] };
    commit("refs/keyframe/marks/main", `snapshot\n\n${JSON.stringify(facts)}`);
  }
  git(["fast-import", "--quiet"], `${stream.join("\n")}\n`);
  git(["reset", "-q", "--hard"]);
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`;
}
