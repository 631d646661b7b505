import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeAuthorshipRepo } from "../../test/support/authorship-repo.ts";
import type { BenchResult } from "../bench-result.ts";
import { median, peakMemoryOf, runNode, timeInTurn } from "../measure.ts";

const lineCount = 1000;

/**
 * Records an edit of a 1,000-line file through the hook as the agent calls it (a process of its own), on an empty
 * journal and behind a log of 300 MB, in turn with bare Node.
 */
export async function run(options: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const rounds = options.tiny ? 2 : 25;
  const logBytes = options.tiny ? 300_000 : 300_000_000;
  const empty = prepare("f.ts");
  const full = prepare("f.ts");
  try {
    fillLog(full.folder, logBytes);
    const edit = (repo: typeof empty) => {
      repo.next += 1;
      for (const event of ["PreToolUse", "PostToolUse"]) {
        if (event === "PostToolUse") writeFileSync(repo.path, repo.content());
        runNode(hook(repo, event));
      }
    };
    edit(empty);
    edit(full);
    const times = timeInTurn(rounds, {
      node: () => {
        runNode({ args: ["-e", "0"] });
        runNode({ args: ["-e", "0"] });
      },
      empty: () => edit(empty),
      full: () => edit(full),
    });
    const bareMemory = peakMemoryOf({ args: ["-e", "0"] });
    const memory = [empty, full].map((repo) => {
      repo.next += 1;
      runNode(hook(repo, "PreToolUse"));
      writeFileSync(repo.path, repo.content());
      return peakMemoryOf(hook(repo, "PostToolUse"));
    });
    const [node, onEmpty, onFull] = [median(times.node) / 2, median(times.empty) / 2, median(times.full) / 2];
    const owners = [empty, full].map((repo) => currentRuns(repo.folder));
    const resultHash = createHash("sha256").update(JSON.stringify(owners)).digest("hex").slice(0, 16);
    return [
      {
        name: "record an edit, empty journal, hook process",
        value: onEmpty,
        unit: "ms",
        floor: node,
        ratio: onEmpty / node,
        peakMemoryBytes: memory[0] ?? 0,
        resultHash,
      },
      {
        name: `record an edit behind ${Math.round(logBytes / 1e6)} MB of log, against the empty journal`,
        value: onFull,
        unit: "ms",
        floor: onEmpty,
        ratio: onFull / onEmpty,
        peakMemoryBytes: memory[1] ?? 0,
        resultHash,
      },
      {
        name: "record an edit behind the full log: peak memory over bare Node",
        value: ((memory[1] ?? 0) - bareMemory) / 1024 / 1024,
        unit: "MiB",
        floor: bareMemory / 1024 / 1024,
        resultHash,
      },
    ];
  } finally {
    empty.remove();
    full.remove();
  }
}

function prepare(name: string) {
  const repo = makeAuthorshipRepo();
  const lines = Array.from({ length: lineCount }, (_, index) => `export const value${index} = ${index};`);
  repo.write(name, ...lines);
  repo.git("add", "-A");
  repo.git("commit", "-qm", "base");
  const state = {
    folder: repo.folder,
    path: join(repo.folder, name),
    next: 0,
    remove: () => repo.remove(),
    content() {
      const edited = [...lines];
      for (let index = 0; index < state.next; index += 1)
        edited[(index * 37) % lineCount] = `edited ${index}`;
      return `${edited.join("\n")}\n`;
    },
  };
  return state;
}

function hook(repo: ReturnType<typeof prepare>, event: string) {
  const payload = {
    session_id: "bench",
    transcript_path: "/nowhere/.claude/projects/x/bench.jsonl",
    cwd: repo.folder,
    hook_event_name: event,
    tool_name: "Edit",
    tool_use_id: `toolu_${repo.next}`,
    tool_input: { file_path: repo.path, old_string: "a", new_string: "b" },
    ...(event === "PostToolUse" ? { tool_response: {} } : {}),
  };
  return {
    args: [resolve("dist/keyframe.cjs"), "hook", "claude"],
    cwd: repo.folder,
    stdin: JSON.stringify(payload),
  };
}

function journalFile(folder: string, pattern: RegExp): string {
  const root = join(folder, ".git/keyframe/journal");
  const name = readdirSync(root, { recursive: true, encoding: "utf8" }).find((found) => pattern.test(found));
  return join(root, name ?? "missing");
}

/** Repeats what one edit wrote, as a long session would have. */
function fillLog(folder: string, bytes: number): void {
  const seed = {
    folder,
    path: join(folder, "seed.ts"),
    next: 0,
    remove: () => undefined,
    content: () => "x\n".repeat(50),
  };
  runNode(hook(seed, "PreToolUse"));
  writeFileSync(seed.path, seed.content());
  runNode(hook(seed, "PostToolUse"));
  const log = journalFile(folder, /log\.jsonl$/);
  const block = Buffer.alloc(Math.min(bytes, 4_000_000));
  const line = readFileSync(log);
  let filled = 0;
  for (; filled + line.length <= block.length; filled += line.length) line.copy(block, filled);
  const descriptor = openSync(log, "a");
  for (let written = 0; written < bytes; written += filled) writeSync(descriptor, block, 0, filled);
  closeSync(descriptor);
}

/** Line counts and owners of the edited file's head: equal work gives equal runs. */
function currentRuns(folder: string): unknown {
  const root = join(folder, ".git/keyframe/journal");
  const heads = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith("head.json"),
  );
  const head = heads
    .map((name) => JSON.parse(readFileSync(join(root, name), "utf8")))
    .find(({ path }) => path === "f.ts");
  return head.current.runs;
}
