import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { observe } from "../../src/authorship/record/observe.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { createTestRepository, type TestRepository } from "../../test/support/test-repository.ts";
import type { BenchResult } from "../bench-result.ts";
import { childCpuMs } from "../measure.ts";

/** `git commit` of 1,000 files that an agent edited, over the same commit without hooks; and how large its note is. */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const count = tiny ? 20 : 1000;
  const [plain, ours] = [createTestRepository(), createTestRepository()];
  try {
    for (const repository of [plain, ours]) prepare(repository, count);
    ours.keyframe(["enable"]);
    edit(ours, count);
    for (let file = 0; file < count; file += 1) appendFileSync(pathOf(plain, file), `added(${file});\n`);
    const floor = commit(plain);
    const measured = commit(ours);
    const note = ours.git("notes", "--ref=ai", "show", "HEAD");
    const resultHash = createHash("sha256")
      .update(note.split("---")[0] ?? "")
      .digest("hex")
      .slice(0, 16);
    const name = `git commit of ${count} files that an agent edited`;
    return [
      {
        name: `${name}, over no hooks`,
        value: measured.wallMs,
        unit: "ms",
        floor: floor.wallMs,
        ratio: measured.wallMs / floor.wallMs,
        cpuMs: measured.cpuMs,
        resultHash,
      },
      { name: `note of ${count} edits`, value: note.length / 1024, unit: "KiB", resultHash },
    ];
  } finally {
    for (const repository of [plain, ours]) repository.remove();
  }
}

function commit(repository: TestRepository): { readonly wallMs: number; readonly cpuMs: number } {
  repository.git("add", "-A");
  const [start, cpu] = [performance.now(), childCpuMs()];
  repository.git("commit", "-q", "-m", "many");
  return { wallMs: performance.now() - start, cpuMs: childCpuMs() - cpu };
}

const pathOf = ({ folder }: TestRepository, file: number) => join(folder, `src/${file % 20}/file-${file}.ts`);

function prepare(repository: TestRepository, count: number): void {
  for (let file = 0; file < count; file += 1) {
    const lines = Array.from({ length: 50 }, (_, line) => `const line${line} = ${file};\n`);
    repository.write(`src/${file % 20}/file-${file}.ts`, lines.join(""));
  }
  repository.commit("many files");
}

/** As the hooks record it, a call for each file. */
function edit(repository: TestRepository, count: number): void {
  const origin = { agent: { tool: "claude", id: "bench", model: "m" }, cwd: repository.folder };
  for (let file = 0; file < count; file += 1) {
    const path = pathOf(repository, file);
    const call = { ...origin, toolUseId: `toolu_${file}`, toolName: "Edit", paths: [path] };
    const before = observe({ ...call, kind: "before-edit" }, nodeMachine);
    appendFileSync(path, `added(${file});\n`);
    const after = observe({ ...call, kind: "after-edit" }, nodeMachine);
    const problems = [...before.problems, ...after.problems];
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}
