// Covers src/workflows/interop/** and src/cli/export/**.
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { createTestRepository, noteText, type TestRepository } from "../../support/test-repository.ts";

/** The published form of a record, as its description says it. */
const contributor = z.strictObject({
  type: z.enum(["human", "ai", "mixed", "unknown"]),
  model_id: z.string().max(250).optional(),
});
const traceRecordForm = z.strictObject({
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  id: z.uuid(),
  timestamp: z.iso.datetime({ offset: true }),
  vcs: z.strictObject({ type: z.literal("git"), revision: z.string() }),
  tool: z.strictObject({ name: z.string(), version: z.string() }),
  files: z.array(
    z.strictObject({
      path: z.string(),
      conversations: z.array(
        z.strictObject({
          url: z.url().optional(),
          contributor: contributor.optional(),
          ranges: z.array(z.strictObject({ start_line: z.int().positive(), end_line: z.int().positive() })),
          related: z.array(z.strictObject({ type: z.string(), url: z.url() })).optional(),
        }),
      ),
    }),
  ),
  metadata: z.record(z.string(), z.unknown()),
});

let repository: TestRepository;
beforeAll(() => {
  repository = createTestRepository();
  repository.write("a.txt", "one\ntwo\nthree\nfour\n");
  const commit = repository.commit(`by several\n\nEntire-Checkpoint: ${"a".repeat(12)}`);
  // claims reach outside of what the commit adds
  repository.note(commit, noteText({ "a.txt": ["s_1::t_1 1,3", "s_2::t_2 3-3", "h_1 4-400"] }));
  repository.write("a.txt", "one\ntwo\nthree\n");
  repository.commit("only removes");
  repository.write("ü b.txt", "x\n");
  repository.commit("without a note");
});
afterAll(() => repository.remove());

const exported = () =>
  repository
    .keyframe(["export", `${repository.git("hash-object", "-t", "tree", "/dev/null")}..HEAD`])
    .stdout.split("\n")
    .filter(Boolean)
    .map((line) => traceRecordForm.parse(JSON.parse(line)));

test("one record for each commit that adds lines; every added line is in it once", () => {
  const records = exported();
  expect(records.map(({ vcs }) => vcs.revision)).toEqual([
    repository.git("rev-parse", "HEAD~2"),
    repository.git("rev-parse", "HEAD"),
  ]);
  for (const { files } of records)
    for (const { conversations } of files) {
      const lines = conversations.flatMap(({ ranges }) =>
        ranges.flatMap(({ start_line: first, end_line: last }) =>
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        ),
      );
      expect(lines.sort((a, b) => a - b)).toEqual(lines.map((_, index) => index + 1));
    }
  expect(exported()).toEqual(records);
});

test("agents with their models, people, and unknown", () => {
  const [first, second] = exported();
  const related = [{ type: "checkpoint", url: "keyframe://checkpoint/aaaaaaaaaaaa" }];
  expect(first?.files[0]?.conversations).toEqual([
    {
      url: "keyframe://session/c-1",
      contributor: { type: "ai", model_id: "anthropic/claude-sonnet-4-5-20250929" },
      ranges: [{ start_line: 1, end_line: 1 }],
      related,
    },
    {
      url: "keyframe://session/x-2",
      contributor: { type: "ai", model_id: "openai/gpt-5.1-codex" },
      ranges: [{ start_line: 3, end_line: 3 }],
      related,
    },
    { contributor: { type: "human" }, ranges: [{ start_line: 4, end_line: 4 }] },
    { contributor: { type: "unknown" }, ranges: [{ start_line: 2, end_line: 2 }] },
  ]);
  expect(second?.files).toEqual([
    {
      path: "ü b.txt",
      conversations: [{ contributor: { type: "unknown" }, ranges: [{ start_line: 1, end_line: 1 }] }],
    },
  ]);
});
