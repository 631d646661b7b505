import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createTestRepository, keyframeProgram } from "../../test/support/test-repository.ts";
import type { BenchResult } from "../bench-result.ts";
import { median, runNode, timeInTurn } from "../measure.ts";

/** Before a shell call in a work tree of many untracked files: the first look reads them, later ones do not. */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const repository = createTestRepository();
  const count = tiny ? 400 : 5000;
  try {
    repository.write("base", "1\n");
    repository.commit("base");
    for (let index = 0; index < count; index += 1)
      repository.write(`new/${index >> 8}/${index}`, `${"text of a file\n".repeat(250)}${index}\n`);
    repository.keyframe(["enable"]);
    const payload = {
      session_id: "bench",
      transcript_path: join(repository.folder, "../transcript.jsonl"),
      cwd: repository.folder,
      hook_event_name: "PreToolUse",
      tool_name: "Bash",
      tool_use_id: "toolu_1",
      tool_input: { command: "make" },
    };
    const look = () =>
      void runNode({
        args: [keyframeProgram, "hook", "claude"],
        cwd: repository.folder,
        env: repository.env,
        stdin: JSON.stringify(payload),
      });
    const journal = join(repository.folder, ".git/keyframe/journal");
    const status = () =>
      void spawnSync("git", ["status", "--porcelain", "--untracked-files=all"], {
        cwd: repository.folder,
        env: repository.env,
      });
    const lookAnew = () => {
      rmSync(journal, { recursive: true, force: true });
      look();
    };
    const first = timeInTurn(tiny ? 1 : 3, { status, look: lookAnew });
    const again = timeInTurn(tiny ? 1 : 9, { status, look });
    const index = spawnSync("sha256sum", [join(journal, "untracked/contents")]).stdout;
    const resultHash = createHash("sha256").update(index).digest("hex").slice(0, 16);
    return Object.entries({ first, again }).map(([name, times]) => {
      const [value, floor] = [median(times.look), median(times.status)];
      return {
        name: `before a shell call, ${count} untracked files of 4 KB: ${name}, against git status`,
        value,
        unit: "ms",
        floor,
        ratio: value / floor,
        resultHash,
      };
    });
  } finally {
    repository.remove();
  }
}
