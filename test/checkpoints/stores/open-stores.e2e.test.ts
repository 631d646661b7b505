// Covers src/checkpoints/stores/**.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonValue } from "../../../src/base/json-document.ts";
import { readCheckpoints } from "../../../src/checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader } from "../../../src/checkpoints/query/read-transcript.ts";
import { type StoreKind, sessionsOf } from "../../../src/checkpoints/record/checkpoint-tree.ts";
import { type CheckpointId, checkpointRef } from "../../../src/checkpoints/record/ids.ts";
import { commitMessage } from "../../../src/checkpoints/stores/commit-message.ts";
import { storeKinds } from "../../../src/checkpoints/stores/open-stores.ts";
import type { CheckpointWrite } from "../../../src/checkpoints/stores/store.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
  openCheckpointRepository,
} from "../../support/checkpoint-repository.ts";
import {
  checkpointWrite,
  generatedCheckpoint,
  generatedId,
  generateTranscript,
  tokens,
} from "../../support/generate-checkpoints.ts";

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
});
afterEach(() => repository.remove());

const nowSeconds = 1_770_000_000;
const write = (kind: StoreKind, ...writes: readonly CheckpointWrite[]) =>
  repository.stores[kind].write(writes, { message: commitMessage(kind, "checkpoint"), nowSeconds });
const id = generatedId(1);
const session = (sessionId: string, fields: Record<string, JsonValue> = {}, turns = 1) => ({
  sessionId,
  createdAt: "2026-01-02T03:04:05.5Z",
  transcript: generateTranscript(sessionId.length, turns),
  fields,
});
async function rootOf(kind: StoreKind, of: CheckpointId = id) {
  const tree = await repository.stores[kind].find(of);
  const [read] = tree === undefined ? [] : await readCheckpoints(repository.git, [[of, [tree]]]);
  if (read === undefined || typeof read.root === "string") throw new Error("no root metadata");
  return { root: read.root, sessions: read.sessions, tree: read.places[0] };
}
const show = (ref: string, path: string) => repository.sh("cat-file", "blob", `${ref}:${path}`);

describe.each(storeKinds)("the %s store", (kind) => {
  test("gives back what was written, and knows nothing else", async () => {
    expect((await repository.stores[kind].list()).size).toBe(0);
    expect(await repository.stores[kind].find(id)).toBeUndefined();
    expect(await write(kind, checkpointWrite(id, [session("one"), session("three")]))).toEqual([id]);
    const { root, sessions, tree } = await rootOf(kind);
    expect([...(await repository.stores[kind].list()).keys()]).toEqual([id]);
    expect(root.filesTouched).toEqual(["src/one.ts", "src/three.ts"]);
    expect(root.tokenUsage?.inputTokens).toBe(200);
    expect(root.stepCount).toBe(2);
    const reader = openTranscriptReader(repository.git);
    for (const [index, files] of sessionsOf(tree, root.sessions).entries()) {
      const pieces: Buffer[] = [];
      for await (const piece of reader.open(id, files)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(generateTranscript(index === 0 ? 3 : 5, 1))).toBe(true);
    }
    await reader.close();
    expect(
      sessions.map(({ metadata }) => (typeof metadata === "string" ? metadata : metadata.sessionId)),
    ).toEqual(["one", "three"]);
  });

  test("puts a session where its id is already, and another behind the last, whatever gaps there are", async () => {
    await write(kind, checkpointWrite(id, [session("one"), session("three")]));
    await write(kind, checkpointWrite(id, [session("three", { checkpoints_count: 5 }, 2)]));
    await write(kind, checkpointWrite(id, [session("fifth")]));
    const { root, sessions } = await rootOf(kind);
    expect(root.stepCount).toBe(7);
    expect(
      sessions.map(({ files, metadata }) => [
        files.index,
        typeof metadata === "string" ? metadata : metadata.sessionId,
      ]),
    ).toEqual([
      [0, "one"],
      [1, "three"],
      [2, "fifth"],
    ]);
  });

  test("writing the same again makes no commit and moves no ref", async () => {
    await write(kind, checkpointWrite(id, [session("one")]));
    const before = repository.refs();
    expect(await write(kind, checkpointWrite(id, [session("one")]))).toEqual([]);
    expect(repository.refs()).toBe(before);
  });

  test("a batch gives tree for tree what the single writes give", async () => {
    const writes = [1, 2, 3, 4, 5]
      .map((n) => generatedCheckpoint(n))
      .concat(checkpointWrite(generatedId(3), [session("extra")]));
    const other = makeCheckpointRepository();
    try {
      for (const single of writes) {
        await other.stores[kind].write([single], { message: commitMessage(kind, "checkpoint"), nowSeconds });
      }
      await write(kind, ...writes);
      const trees = ({ sh }: CheckpointRepository) => sh("for-each-ref", "--format=%(refname) %(tree)");
      expect(trees(repository)).toBe(trees(other));
      if (kind !== "refs") {
        const ref = kind === "v1" ? "entire/checkpoints/v1" : "refs/entire/checkpoints/v2/main";
        expect(repository.sh("rev-list", "--count", ref)).toBe("2");
      }
    } finally {
      other.remove();
    }
  });

  test("keeps fields and files that it does not know", async () => {
    const first = checkpointWrite(id, [session("one", { from_the_future: "<kept>" })]);
    await write(kind, { ...first, root: new Map([...first.root, ["x_root", new Map([["deep", 1]])]]) });
    await write(kind, checkpointWrite(id, [session("one", { model: "other" }), session("three")]));
    const { tree } = await rootOf(kind);
    const text = (path: string) => repository.sh("cat-file", "blob", tree.files.get(path) ?? "");
    expect(text("0/metadata.json")).toContain('"from_the_future": "\\u003ckept\\u003e"');
    expect(text("0/metadata.json")).toContain('"model": "other"');
    expect(text("metadata.json")).toContain('"deep": 1');
  });

  test("several writers at once lose nothing", async () => {
    const writers = Array.from({ length: 6 }, (_, writer) => ({
      writer,
      stores: openCheckpointRepository(repository.folder).stores,
    }));
    await Promise.all(
      writers.map(async ({ writer, stores }) => {
        for (const round of [0, 1]) {
          const shared = checkpointWrite(id, [session(`writer-${writer}-round-${round}`)]);
          const own = checkpointWrite(generatedId(100 + writer * 2 + round), [session("own")]);
          await stores[kind].write([shared, own], { message: commitMessage(kind, "checkpoint"), nowSeconds });
        }
      }),
    );
    const { sessions } = await rootOf(kind);
    const ids = sessions.map(({ metadata }) =>
      typeof metadata === "string" ? metadata : metadata.sessionId,
    );
    expect(new Set(ids)).toEqual(
      new Set(writers.flatMap(({ writer }) => [`writer-${writer}-round-0`, `writer-${writer}-round-1`])),
    );
    expect((await repository.stores[kind].list()).size).toBe(13);
  });

  test("does not merge into a checkpoint whose metadata is not on this machine", async () => {
    await write(kind, checkpointWrite(id, [session("one")]));
    const { tree } = await rootOf(kind);
    const oid = tree.files.get("0/metadata.json") ?? "";
    rmSync(join(repository.folder, ".git/objects", oid.slice(0, 2), oid.slice(2)));
    const before = repository.refs();
    await expect(write(kind, checkpointWrite(id, [session("three")]))).rejects.toMatchObject({
      code: "not-here",
    });
    expect(repository.refs()).toBe(before);
  });

  test("links objects that are not on this machine without touching them", async () => {
    const absent = "1234567890123456789012345678901234567890";
    const base = checkpointWrite(id, [session("one")]);
    const sessions = base.sessions.map((one) => ({
      ...one,
      transcript: [{ oid: absent as never }],
      others: new Map([["assets/a.png", { bytes: Buffer.from("png") }]]),
    }));
    await write(kind, { ...base, sessions });
    const { sessions: read, tree } = await rootOf(kind);
    expect(read[0]?.files.transcript).toEqual([absent]);
    expect(tree.files.has("0/assets/a.png")).toBe(true);
    const reader = openTranscriptReader(repository.git);
    const drain = async () => {
      for await (const _ of reader.open(id, sessionsOf(tree)[0] ?? (undefined as never)));
    };
    await expect(drain()).rejects.toMatchObject({ code: "not-here" });
    await reader.close();
  });

  test("works in a repository with SHA-256", async () => {
    const other = makeCheckpointRepository("--object-format=sha256");
    try {
      await other.stores[kind].write([generatedCheckpoint(1), generatedCheckpoint(2)], {
        message: commitMessage(kind, "checkpoint"),
        nowSeconds,
      });
      const places = await other.stores[kind].list();
      expect([...places.keys()].sort()).toEqual([generatedId(1), generatedId(2)].sort());
      expect(other.sh("fsck", "--strict")).not.toContain("missing");
    } finally {
      other.remove();
    }
  });
});

describe("the layout", () => {
  test("of v1: folders, chunk names, and the commit that names the session", async () => {
    const chunked = { ...session("one"), transcript: [Buffer.from('{"a":1}'), Buffer.from('{"b":2}\n')] };
    await write("v1", checkpointWrite(id, [chunked]));
    const branch = "entire/checkpoints/v1";
    const folder = `${id.slice(0, 2)}/${id.slice(2)}`;
    expect(repository.sh("ls-tree", "-r", "--name-only", branch).split("\n")).toEqual(
      [
        "0/content_hash.txt",
        "0/full.jsonl",
        "0/full.jsonl.001",
        "0/metadata.json",
        "0/prompt.txt",
        "metadata.json",
      ].map((name) => `${folder}/${name}`),
    );
    expect(repository.sh("log", "-1", "--format=%an%n%B", branch)).toBe(
      `Tess\nCheckpoint: ${id}\n\nEntire-Session: one\nEntire-Strategy: manual-commit\nEntire-Agent: Claude Code`,
    );
    expect(repository.sh("log", "--max-parents=0", "--format=%s", branch)).toBe("Initialize metadata branch");
    expect(JSON.parse(show(branch, `${folder}/metadata.json`)).sessions).toEqual([
      {
        metadata: `/${folder}/0/metadata.json`,
        transcript: `/${folder}/0/full.jsonl`,
        content_hash: `/${folder}/0/content_hash.txt`,
        prompt: `/${folder}/0/prompt.txt`,
      },
    ]);
  });

  test("of one ref per checkpoint: the first commit has no parent, and an update is its child", async () => {
    await write("refs", checkpointWrite(id, [session("one")]));
    await write("refs", checkpointWrite(id, [session("one", {}, 2)]));
    const ref = checkpointRef(id);
    expect(ref).toBe(`refs/entire/checkpoints/${id.slice(-2)}/${id}`);
    expect(repository.sh("rev-list", "--count", ref)).toBe("2");
    expect(JSON.parse(show(ref, "metadata.json")).sessions[0].transcript).toBe("/0/full.jsonl");
  });

  test("of v2: what is read often apart from what is large, in compact coordinates", async () => {
    const base = checkpointWrite(id, [
      session("one", {
        checkpoint_transcript_start: 40,
        compact_transcript_start: 7,
        transcript_lines_at_start: 40,
      }),
    ]);
    const sessions = base.sessions.map((one) => ({
      ...one,
      compact: { bytes: Buffer.from("{}\n") },
      others: new Map([["transcript_hash.txt", { bytes: Buffer.from("sha256:x") }]]),
    }));
    await write("v2", {
      ...base,
      sessions,
      tasks: new Map([["toolu_1/task.json", { bytes: Buffer.from("{}") }]]),
    });
    const names = (ref: string) =>
      repository
        .sh("ls-tree", "-r", "--name-only", ref)
        .split("\n")
        .map((path) => path.slice(14));
    expect(names("refs/entire/checkpoints/v2/main")).toEqual([
      "0/metadata.json",
      "0/prompt.txt",
      "0/transcript.jsonl",
      "0/transcript_hash.txt",
      "metadata.json",
    ]);
    expect(names("refs/entire/checkpoints/v2/full/current")).toEqual([
      "0/raw_transcript",
      "0/raw_transcript_hash.txt",
      "0/tasks/toolu_1/task.json",
    ]);
    const metadata = JSON.parse(
      show("refs/entire/checkpoints/v2/main", `${id.slice(0, 2)}/${id.slice(2)}/0/metadata.json`),
    );
    expect(metadata.checkpoint_transcript_start).toBe(7);
    expect(metadata.raw_transcript_start).toBe(40);
    expect(metadata).not.toHaveProperty("transcript_lines_at_start");
    expect(metadata).not.toHaveProperty("compact_transcript_start");
  });

  test("of v2: the hundredth checkpoint fills a generation, which is archived with the dates of its checkpoints", async () => {
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => generatedCheckpoint(from + n, 1));
    await write("v2", ...many(0, 99));
    expect(repository.refs()).not.toContain("full/0000000000001");
    await write("v2", ...many(99, 2));
    const archive = "refs/entire/checkpoints/v2/full/0000000000001";
    expect(JSON.parse(show(archive, "generation.json"))).toEqual({
      oldest_checkpoint_at: "2026-01-01T00:00:00.000Z",
      newest_checkpoint_at: "2026-01-01T01:40:00.000Z",
    });
    const current = "refs/entire/checkpoints/v2/full/current";
    expect(repository.sh("ls-tree", current)).toBe("");
    expect(repository.sh("rev-list", "--count", current)).toBe("1");
    // an update goes to the generation that holds the checkpoint, and is not copied forward
    await write("v2", checkpointWrite(generatedId(5), [session("late")]));
    expect(repository.sh("ls-tree", current)).toBe("");
    expect((await rootOf("v2", generatedId(5))).sessions.map(({ files }) => files.transcript.length)).toEqual(
      [1, 1],
    );
  });

  test("a branch that is known only from a remote is continued, not begun anew", async () => {
    await write("v1", checkpointWrite(id, [session("one")]));
    const tip = repository.sh("rev-parse", "entire/checkpoints/v1");
    repository.sh("update-ref", "refs/remotes/origin/entire/checkpoints/v1", tip);
    repository.sh("update-ref", "-d", "refs/heads/entire/checkpoints/v1");
    await write("v1", checkpointWrite(generatedId(2), [session("three")]));
    expect(repository.sh("merge-base", "entire/checkpoints/v1", tip)).toBe(tip);
    expect((await repository.stores.v1.list()).size).toBe(2);
  });

  test("nested tokens of subagents are summed, and a hostile depth is cut", async () => {
    let nested = tokens(1);
    for (let depth = 0; depth < 60; depth += 1) nested = new Map([...tokens(1), ["subagent_tokens", nested]]);
    await write("v1", checkpointWrite(id, [session("one", { token_usage: nested })]));
    const { root } = await rootOf("v1");
    expect(root.tokenUsage?.inputTokens).toBe(16);
  });
});
