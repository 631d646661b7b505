// Covers src/authorship/rules/**.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AuthorshipRepo, agentA, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";

// The oracle: each line is one unique character and keeps the letter of whoever put it there. Whatever happens to the
// files between edits, every committed line must be blamed on that letter.

type Letter = "A" | "B" | "K" | "U";
const file = fc.constantFrom("one", "two");
const edit = fc.record({
  kind: fc.constant("edit" as const),
  file,
  by: fc.constantFrom<Letter>("A", "B", "K", "U"),
  at: fc.nat(12),
  remove: fc.nat(2),
  insert: fc.integer({ min: 1, max: 3 }),
  viaShell: fc.boolean(),
});
const operation = fc.oneof(
  { weight: 5, arbitrary: edit },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("commit" as const), file: fc.option(file) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("amend" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("bypass" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("soft-reset" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stage" as const), file }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

interface Model {
  readonly lines: Record<string, { text: string; letter: Letter }[]>;
  next: number;
  calls: number;
}

function write(repo: AuthorshipRepo, model: Model, name: string): void {
  repo.write(name, ...(model.lines[name] ?? []).map(({ text }) => text));
}

function applyEditTo(
  repo: AuthorshipRepo,
  model: Model,
  operation: Extract<Operation, { kind: "edit" }>,
): void {
  const before = model.lines[operation.file] ?? [];
  const start = Math.min(operation.at, before.length);
  const fresh = Array.from({ length: operation.insert }, () => ({
    text: String.fromCodePoint(0x4e00 + model.next++),
    letter: operation.by,
  }));
  const change = () => {
    model.lines[operation.file] = [
      ...before.slice(0, start),
      ...fresh,
      ...before.slice(start + operation.remove),
    ];
    write(repo, model, operation.file);
  };
  if (operation.by === "U") {
    change();
    return;
  }
  if (operation.by === "K") {
    repo.snapshot(operation.file);
    change();
    repo.humanSaves(operation.file);
    return;
  }
  const agent = operation.by === "A" ? agentA : agentB;
  if (!operation.viaShell) {
    repo.agentEdit(operation.file, change, agent);
    return;
  }
  model.calls += 1;
  repo.shellBegins(`shell-${model.calls}`, agent);
  change();
  repo.shellEnds(`shell-${model.calls}`, agent);
}

async function perform(repo: AuthorshipRepo, model: Model, operation: Operation): Promise<void> {
  const isClean = () => repo.git("diff", "--cached", "--name-only") === "";
  const parents = () => Number(repo.git("rev-list", "--count", "HEAD"));
  if (operation.kind === "edit") return applyEditTo(repo, model, operation);
  if (operation.kind === "stage") return void repo.git("add", operation.file);
  if (operation.kind === "soft-reset") {
    if (parents() > 1) repo.git("reset", "-q", "--soft", "HEAD~");
    return;
  }
  repo.git("add", ...(operation.kind === "commit" && operation.file !== null ? [operation.file] : ["-A"]));
  if (operation.kind === "amend") return void (await repo.commitIndex("--amend"));
  if (isClean()) return;
  if (operation.kind === "bypass") repo.git("commit", "-qm", "bypassed");
  else await repo.commitIndex();
}

test("through any series of edits, partial commits, amends, resets and bypassed hooks, each line keeps its writer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 14 }), async (operations) => {
      const repo = makeAuthorshipRepo();
      try {
        const model: Model = { lines: { one: [], two: [] }, next: 0, calls: 0 };
        for (const name of ["one", "two"]) {
          model.lines[name] = [{ text: `base of ${name}`, letter: "U" }];
          write(repo, model, name);
        }
        await repo.commit();
        for (const next of operations) await perform(repo, model, next);
        repo.git("add", "-A");
        await repo.commitIndex("--allow-empty");
        const expected = Object.entries(model.lines).map(([name, lines]) => [
          name,
          lines.map((line) => line.letter).join(""),
        ]);
        const seen = Object.keys(model.lines).map((name) => [name, repo.blame(name)]);
        expect(seen).toEqual(expected);
      } finally {
        repo.remove();
      }
    }),
    { numRuns: Number(process.env["KEYFRAME_MODEL_RUNS"] ?? 12) },
  );
});
