import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestRepository, keyframeProgram } from "../../test/support/test-repository.ts";
import type { BenchResult } from "../bench-result.ts";
import { childCpuMs, peakMemoryOf, runNode } from "../measure.ts";

/** One changed line in a file of 20 MB and 4 million lines: the hook after the edit, and the commit behind it. */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const count = tiny ? 4000 : 4_000_000;
  const repository = createTestRepository();
  try {
    const path = join(repository.folder, "large.txt");
    let state = 1;
    const lines = Array.from({ length: count }, () => {
      state = (state * 48271) % 2147483647;
      return (state & 0xffff).toString(16);
    });
    const write = () => writeFileSync(path, `${lines.join("\n")}\n`);
    write();
    repository.commit("a large file");
    repository.keyframe(["enable"]);
    let call = 0;
    const hook = (event: "PreToolUse" | "PostToolUse") => ({
      args: [keyframeProgram, "hook", "claude"],
      cwd: repository.folder,
      env: repository.env,
      stdin: JSON.stringify({
        session_id: "bench",
        transcript_path: join(repository.folder, "../home/.claude/projects/x/transcript.jsonl"),
        cwd: repository.folder,
        hook_event_name: event,
        tool_name: "Edit",
        tool_use_id: `toolu_${call}`,
        tool_input: { file_path: path, old_string: "a", new_string: "b" },
      }),
    });
    const edit = () => {
      call += 1;
      runNode(hook("PreToolUse"));
      lines[count >> 1] = `changed ${call}`;
      write();
      return hook("PostToolUse");
    };
    const after = edit();
    const [hookMs, hookCpuMs] = timed(() => runNode(after));
    const peakMemoryBytes = peakMemoryOf(edit());
    repository.git("add", "-A");
    const [commitMs, commitCpuMs] = timed(() => repository.git("commit", "-q", "-m", "changed"));
    const note = repository.git("notes", "--ref=ai", "show", "HEAD").split("---")[0] ?? "";
    const resultHash = createHash("sha256").update(note).digest("hex").slice(0, 16);
    const shown = `${readFileSync(path).length >> 20} MiB, ${count} lines`;
    const figures = { unit: "ms", resultHash } as const;
    return [
      { name: `hook after an edit, ${shown}`, value: hookMs, cpuMs: hookCpuMs, peakMemoryBytes, ...figures },
      { name: `its commit, ${shown}`, value: commitMs, cpuMs: commitCpuMs, ...figures },
    ];
  } finally {
    repository.remove();
  }
}

function timed(work: () => unknown): [wallMs: number, cpuMs: number] {
  const [start, cpu] = [performance.now(), childCpuMs()];
  work();
  return [performance.now() - start, childCpuMs() - cpu];
}
