import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { observe } from "../../src/authorship/record/observe.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { createTestRepository, type TestRepository } from "../../test/support/test-repository.ts";
import type { BenchResult } from "../bench-result.ts";
import { median } from "../measure.ts";

/**
 * `git commit` of one file, in turn: without hooks; with them and nothing pending; with an agent's edit pending; and the
 * same in a repository where 500 sessions are finished.
 */
export async function run({ tiny }: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const rounds = tiny ? 2 : 15;
  const sessions = tiny ? 5 : 500;
  const repositories = {
    plain: prepare({ hooks: false, sessions: 0 }),
    idle: prepare({ hooks: true, sessions: 0 }),
    few: prepare({ hooks: true, sessions: 0 }),
    many: prepare({ hooks: true, sessions }),
  };
  try {
    const times = { plain: [] as number[], idle: [] as number[], few: [] as number[], many: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ["plain", "idle", "few", "many"] as const) {
        const repository = repositories[name];
        if (name === "plain" || name === "idle")
          appendFileSync(join(repository.folder, "f.txt"), `${round}\n`);
        else edit(repository, { session: "measured", path: "f.txt", line: `${round}\n` });
        repository.git("add", "-A");
        const start = performance.now();
        repository.git("commit", "-q", "-m", `round ${round}`);
        times[name].push(performance.now() - start);
      }
    }
    const floor = median(times.plain);
    const [idle, few, many] = [median(times.idle), median(times.few), median(times.many)];
    const resultHash = createHash("sha256").update(notedLines(repositories.few)).digest("hex").slice(0, 16);
    if (notedLines(repositories.few) !== notedLines(repositories.many)) throw new Error("the notes differ");
    const figure = (name: string, value: number, base: number) => ({
      name: `git commit: ${name}`,
      value,
      unit: "ms",
      floor: base,
      ratio: value / base,
      resultHash,
    });
    return [
      figure("hooks on, nothing pending, over no hooks", idle, floor),
      figure("hooks on, an agent's edit settled, over no hooks", few, floor),
      figure(`the same after ${sessions} finished sessions, over after none`, many, few),
    ];
  } finally {
    for (const repository of Object.values(repositories)) repository.remove();
  }
}

function prepare({
  hooks,
  sessions,
}: {
  readonly hooks: boolean;
  readonly sessions: number;
}): TestRepository {
  const repository = createTestRepository();
  repository.write("f.txt", "first\n");
  repository.commit("first");
  if (hooks) repository.keyframe(["enable"]);
  for (let session = 0; session < sessions; session += 1) {
    edit(repository, {
      session: `finished-${session}`,
      path: `src/file-${session}.ts`,
      line: "export {};\n",
    });
    // now and then a commit, as a day's work has
    if (session % 25 === 24) repository.commit(`up to session ${session}`);
  }
  if (sessions > 0) repository.commit("all sessions");
  return repository;
}

/** A whole session of one edit, recorded as the hooks record it. */
function edit(
  repository: TestRepository,
  { session, path, line }: { readonly session: string; readonly path: string; readonly line: string },
): void {
  const { folder } = repository;
  const origin = { agent: { tool: "claude", id: session, model: "m" }, cwd: folder };
  const absolute = join(folder, path);
  const call = { ...origin, toolUseId: `toolu_${line}`, toolName: "Write", paths: [absolute] };
  const outcomes = [
    observe({ ...origin, kind: "session-start" }, nodeMachine),
    observe({ ...origin, kind: "prompt", prompt: "go on" }, nodeMachine),
    observe({ ...call, kind: "before-edit" }, nodeMachine),
  ];
  if (nodeMachine.files.statIfExists(absolute) === undefined) repository.write(path, line);
  else appendFileSync(absolute, line);
  outcomes.push(
    observe({ ...call, kind: "after-edit" }, nodeMachine),
    observe({ ...origin, kind: "session-end" }, nodeMachine),
  );
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** The line entries of the measured commits' notes. */
function notedLines(repository: TestRepository): string {
  const commits = repository.git("log", "--format=%H", "--grep=^round").split("\n");
  return commits
    .map((commit) => repository.git("notes", "--ref=ai", "show", commit).split("---")[0])
    .join("\n");
}
