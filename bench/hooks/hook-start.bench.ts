import { createHash } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTestRepository, keyframeProgram } from "../../test/support/test-repository.ts";
import type { BenchResult } from "../bench-result.ts";
import { cpuInTurn, median, peakMemoryOf, runNode, timeInTurn } from "../measure.ts";

/**
 * From start to exit of a hook as an agent starts it (a process, payload on standard input), in turn with bare Node:
 * a read-only tool, a prompt, and the two sides of an edit of a 1,000-line file.
 */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const repository = createTestRepository();
  try {
    const path = join(repository.folder, "f.ts");
    repository.write(
      "f.ts",
      Array.from({ length: 1000 }, (_, line) => `const line${line} = ${line};\n`).join(""),
    );
    repository.commit("a file");
    repository.keyframe(["enable"]);
    const payload = (event: string, tool: string, more: object = {}) =>
      JSON.stringify({
        session_id: "bench",
        transcript_path: join(repository.folder, "../home/.claude/projects/x/transcript.jsonl"),
        cwd: repository.folder,
        hook_event_name: event,
        tool_name: tool,
        tool_use_id: "toolu_1",
        tool_input: { file_path: path, old_string: "a", new_string: "b" },
        ...more,
      });
    const hook = (stdin: string) => ({
      args: [keyframeProgram, "hook", "claude"],
      cwd: repository.folder,
      env: repository.env,
      stdin,
    });
    let edits = 0;
    const afterEdit = () => {
      const originalFile = readFileSync(path, "utf8");
      edits += 1;
      appendFileSync(path, `added(${edits});\n`);
      return hook(payload("PostToolUse", "Edit", { tool_response: { originalFile } }));
    };
    runNode(hook(payload("PreToolUse", "Edit")));
    const actions = {
      node: () => void runNode({ args: ["-e", "0"], cwd: repository.folder, env: repository.env }),
      "a tool that only reads": () => void runNode(hook(payload("PreToolUse", "Read"))),
      "a prompt": () => void runNode(hook(payload("UserPromptSubmit", "", { prompt: "go on" }))),
      "before an edit, 1,000 lines": () => void runNode(hook(payload("PreToolUse", "Edit"))),
      "after an edit, 1,000 lines": () => void runNode(afterEdit()),
    };
    const times = timeInTurn(tiny ? 2 : 25, actions);
    const cpu = cpuInTurn(tiny ? 1 : 25, actions);
    const peakMemoryBytes = peakMemoryOf(afterEdit());
    const { pending } = JSON.parse(repository.keyframe(["status", "--json"]).stdout) as { pending: unknown };
    const resultHash = createHash("sha256").update(JSON.stringify(pending)).digest("hex").slice(0, 16);
    const floor = median(times.node);
    return Object.entries(times)
      .filter(([name]) => name !== "node")
      .map(([name, measured]) => {
        const value = median(measured);
        const memory = name.startsWith("after") ? { peakMemoryBytes } : {};
        return {
          name: `hook: ${name}`,
          value,
          unit: "ms",
          floor,
          ratio: value / floor,
          cpuMs: cpu[name as keyof typeof cpu],
          ...memory,
          resultHash,
        };
      });
  } finally {
    repository.remove();
  }
}
