import fc from "fast-check";
import { expect, test } from "vitest";
import { type GitOperation, gitOperation, runGitProgram } from "../support/git-programs.ts";

// The oracle: each line is one unique character and its writer never changes, wherever git takes it. Blame may say
// nobody, never somebody else; and what git moved as it was keeps its writer.

// thousands of runs: KEYFRAME_MODEL_RUNS=5000 KEYFRAME_MODEL_SEED=1 npx vitest run --project e2e test/authorship/git-model
const runs = Number(process.env["KEYFRAME_MODEL_RUNS"] ?? 12);
const seed = Number(process.env["KEYFRAME_MODEL_SEED"] ?? 20_261_130);

test("through any program of git, by a person or an agent's shell, each line keeps its writer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(gitOperation, { minLength: 4, maxLength: 12 }), async (operations) => {
      expect(await runGitProgram(operations)).toEqual([]);
    }),
    // shrinking takes long: the seed repeats the failure
    { numRuns: runs, seed, endOnFailure: process.env["KEYFRAME_MODEL_SHRINK"] === undefined },
  );
}, 10_000_000);

// programs that once failed
const failures: readonly (readonly [title: string, program: readonly GitOperation[]])[] = [
  [
    "commits of a call that move HEAD over what a person left uncommitted",
    [
      { kind: "edit", file: "one", by: "B", at: 8, remove: 1, viaShell: false },
      { kind: "move", what: "split", by: "shell", settles: true },
      { kind: "edit", file: "two", by: "U", at: 2, remove: 0, viaShell: false },
      { kind: "move", what: "revert twice", by: "shell", settles: true },
      { kind: "move", what: "bypassed", by: "person", settles: false },
    ],
  ],
  [
    "a committed file moved over another one that an agent had changed",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "commit", by: "person", settles: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv back", by: "person", settles: false },
    ],
  ],
  [
    "a file that was never committed moved over one that was",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv back", by: "person", settles: false },
      { kind: "move", what: "commit", by: "person", settles: false },
    ],
  ],
  [
    "a file that another agent's shell moves over one",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv back", by: "shell of B", settles: false },
    ],
  ],
  [
    "a stash that is made and popped elsewhere in one go, while the journal settles",
    [
      { kind: "edit", file: "two", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "pop in a worktree", by: "shell", settles: false },
      { kind: "move", what: "commit", by: "person", settles: false },
      { kind: "edit", file: "two", by: "A", at: 0, remove: 0, viaShell: false },
    ],
  ],
  [
    "a file that was moved away and written anew",
    [
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv of the file", by: "person", settles: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "commit", by: "person", settles: false },
    ],
  ],
  [
    "a file that a person moved before an agent's call commits it",
    [
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv of the file", by: "person", settles: false },
      { kind: "move", what: "commit", by: "shell of B", settles: false },
      { kind: "move", what: "commit", by: "person", settles: false },
      { kind: "move", what: "commit", by: "person", settles: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
    ],
  ],
  [
    "a file moved over a new one that an agent wrote",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "edit", file: "one", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv of the file", by: "person", settles: false },
    ],
  ],
  [
    "a file of nobody's that an agent's shell moves over one of its own",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "edit", file: "one", by: "U", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "mv of the file", by: "shell", settles: false },
    ],
  ],
  [
    "a committed file with more of an agent's that is moved over another one",
    [
      { kind: "edit", file: "renamed", by: "A", at: 0, remove: 0, viaShell: false },
      { kind: "move", what: "commit", by: "person", settles: true },
      { kind: "edit", file: "renamed", by: "A", at: 2, remove: 0, viaShell: false },
      { kind: "move", what: "mv back", by: "person", settles: false },
    ],
  ],
];

test.each(failures)("%s", async (_title, program) => {
  expect(await runGitProgram(program)).toEqual([]);
});
