import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mergeNotes } from "../../../../src/checkpoints/remote/join/merge-notes.ts";
import type { Oid } from "../../../../src/git/ids.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
} from "../../../support/checkpoint-repository.ts";

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
  repository.sh("commit", "-q", "--allow-empty", "-m", "noted");
});
afterEach(() => repository.remove());

/** A note on HEAD in a ref of its own; returns the ref's tip. */
function addNote(ref: string, text: string): Oid {
  const path = join(repository.folder, "note");
  writeFileSync(path, text);
  repository.sh("notes", `--ref=${ref}`, "add", "-C", repository.sh("hash-object", "-w", path), "HEAD");
  return repository.sh("rev-parse", `refs/notes/${ref}`) as Oid;
}

const ours = `a.txt
  s_0123456789abcd 1
---
${JSON.stringify({ schema_version: "authorship/3.0.0", base_commit_sha: "", prompts: {} })}
`;

for (const [kind, theirs] of [
  ["of another kind", ours.replace("authorship/3.0.0", "another/9.0.0")],
  ["of no kind", "nothing\n"],
  ["too large to read", "x".repeat(17 * 1024 * 1024)],
] as const)
  test(`a remote's note ${kind} does not take the place of ours`, async () => {
    addNote("ai", ours);
    const { changed, problems } = await mergeNotes(repository.git, addNote("theirs", theirs), 1_770_000_000);
    expect(problems).toEqual([expect.stringContaining("stays as it is here")]);
    expect([changed, `${repository.sh("notes", "--ref=ai", "show", "HEAD")}\n`]).toEqual([0, ours]);
    // both histories are kept, so that the next merge has nothing to do
    expect(repository.sh("log", "-1", "--format=%P", "refs/notes/ai").split(" ")).toHaveLength(2);
  });
