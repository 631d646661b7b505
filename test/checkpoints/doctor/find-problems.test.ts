// Covers src/checkpoints/doctor/**.
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findCheckpointProblems } from "../../../src/checkpoints/doctor/find-problems.ts";
import { type CheckpointTree, sessionsOf } from "../../../src/checkpoints/record/checkpoint-tree.ts";
import { idOfCheckpointRef, isCheckpointId, parseCheckpointId } from "../../../src/checkpoints/record/ids.ts";
import { parseRootMetadata, parseSessionMetadata } from "../../../src/checkpoints/record/metadata.ts";
import { namedCheckpoints, trailingCheckpoints } from "../../../src/checkpoints/record/trailers.ts";
import { findDisconnectedRefs } from "../../../src/checkpoints/remote/push/find-remote-problems.ts";
import { commitMessage } from "../../../src/checkpoints/stores/commit-message.ts";
import type { Oid } from "../../../src/git/ids.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../../support/checkpoint-repository.ts";
import { generatedCheckpoint, generatedId } from "../../support/generate-checkpoints.ts";

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
});
afterEach(() => repository.remove());

test("trailers are found wherever old writers put them, and only the last block counts for changes", () => {
  const [a, b] = [generatedId(1), generatedId(2)];
  const ulid = "01KX37KN6NXDTV10FKNCBPTP2Y";
  const quoted = `Quote\n\nsee Entire-Checkpoint: ${b} there\n\nEntire-Checkpoint: ${a}\nSigned-off-by: T <t@e>\n`;
  expect(namedCheckpoints(quoted)).toEqual([a]);
  expect(namedCheckpoints(`Explain\n\nThe line\nEntire-Checkpoint: ${b}\nis what links.\n`)).toEqual([]);
  expect(
    namedCheckpoints(
      `Both (#1)\n\n* a\n\nEntire-Checkpoint: ${b}\n\n* b\n\n    Entire-Checkpoint: ${a}\n    X: y\n`,
    ),
  ).toEqual([b, a]);
  expect(trailingCheckpoints(quoted)).toEqual([a]);
  expect(namedCheckpoints(`fix: x Entire-Checkpoint: ${a}`)).toEqual([a]);
  expect(trailingCheckpoints(`fix: x Entire-Checkpoint: ${a}`)).toEqual([]);
  expect(
    namedCheckpoints(
      `Squash\n\nEntire-Checkpoint: ${a}\nEntire-Checkpoint: ${ulid}\nEntire-Checkpoint: ${a}`,
    ),
  ).toEqual([a, ulid]);
  expect(namedCheckpoints(`Entire-Checkpoint: ${a}f and Entire-Checkpoint: XYZ`)).toEqual([]);
});

test("ids and refs that are not a checkpoint's are passed over", () => {
  const id = generatedId(1);
  expect(idOfCheckpointRef(`refs/entire/checkpoints/${id.slice(-2)}/${id}`)).toBe(id);
  for (const ref of [
    `refs/entire/checkpoints/zz/${id}`,
    `refs/entire/checkpoints/${id}`,
    "refs/entire/checkpoints/v2/main",
    "refs/entire/checkpoints/v2/full/current",
    `refs/heads/${id}`,
  ]) {
    expect(idOfCheckpointRef(ref)).toBeUndefined();
  }
  expect(isCheckpointId("81KX37KN6NXDTV10FKNCBPTP2Y")).toBe(false);
  expect(() => parseCheckpointId("../../../etc")).toThrow(/not a checkpoint id/);
});

test("metadata of any shape is read without an exception", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (text) => {
        parseRootMetadata(Buffer.from(text));
        parseSessionMetadata(Buffer.from(text));
      },
    ),
  );
  const odd = parseSessionMetadata(
    Buffer.from(
      '{"agents":"Old","files_touched":null,"steps_count":3,"transcript_lines_at_start":9,"summary":{"learnings":[]}}',
    ),
  );
  expect(odd).toMatchObject({
    agent: "Old",
    filesTouched: [],
    stepCount: 3,
    transcriptStart: 9,
    summary: { repoLearnings: [] },
  });
});

test.each([
  [
    "gaps in the folder numbers",
    ["metadata.json", "0/metadata.json", "2/metadata.json", "2/full.jsonl"],
    [
      [0, 0],
      [2, 1],
    ],
  ],
  ["a chunk that the tree lacks", ["0/full.jsonl", "0/full.jsonl.002"], [[0, 2]]],
  ["only later chunks", ["0/full.jsonl.001"], [[0, 1]]],
  ["a left-over temporary file that is no chunk", ["0/full.jsonl", "0/full.jsonl.0123abc.tmp"], [[0, 1]]],
  ["the oldest layout", ["metadata.json", "full.log", "prompt.txt"], [[-1, 1]]],
  ["raw transcripts of v2", ["0/raw_transcript", "0/raw_transcript.001"], [[0, 2]]],
  ["nothing at all", [], []],
])("a tree with %s is described as what it is", (_, paths, expected) => {
  const files = new Map(paths.map((path, index) => [path, String(index).padStart(40, "0") as Oid]));
  const tree: CheckpointTree = { id: generatedId(1), store: "v1", ref: "r", files };
  expect(sessionsOf(tree).map(({ index, transcript }) => [index, transcript.length])).toEqual(expected);
});

test("chunks that are missing between others are named", () => {
  const files = new Map([
    ["0/full.jsonl.001", "1".repeat(40) as Oid],
    ["0/full.jsonl.003", "2".repeat(40) as Oid],
  ]);
  expect(sessionsOf({ id: generatedId(1), store: "v1", ref: "r", files })[0]?.missingChunks).toEqual([0, 2]);
});

test("problems are found, each with its repair, and looking changes nothing", async () => {
  const { git, stores, sh } = repository;
  const write = (n: number) =>
    stores.v1.write([generatedCheckpoint(n)], { message: commitMessage("v1", "checkpoint"), nowSeconds: 1 });
  await write(1);
  sh("update-ref", "refs/remotes/origin/entire/checkpoints/v1", "refs/heads/entire/checkpoints/v1");
  sh("update-ref", "-d", "refs/heads/entire/checkpoints/v1");
  sh(
    "update-ref",
    "refs/heads/entire/checkpoints/v1",
    sh("commit-tree", "-m", "another beginning", sh("mktree", "--missing")),
  );
  sh("commit", "-q", "--allow-empty", "-m", `x\n\nEntire-Checkpoint: ${generatedId(9)}`);
  const before = repository.refs();
  const problems = await findCheckpointProblems(git, stores);
  expect(problems.map(({ kind, subject }) => [kind, subject])).toEqual([
    ["dangling trailer", generatedId(9)],
    ["unlinked checkpoint", generatedId(1)],
  ]);
  const disconnected = await findDisconnectedRefs({ git, files: nodeFiles });
  expect(disconnected.map(({ kind, subject }) => [kind, subject])).toEqual([
    ["disconnected", "refs/heads/entire/checkpoints/v1"],
  ]);
  for (const { repair } of [...problems, ...disconnected]) expect(repair).not.toBe("");
  expect(repository.refs()).toBe(before);
});
