// Covers src/git/objects/**.
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blobOid, type CommitMark, openBulkWriter } from "../../src/git/objects/bulk-writer.ts";
import { missingObjects } from "../../src/git/objects/missing-objects.ts";
import { openObjectStream, streamObjects } from "../../src/git/objects/object-stream.ts";
import { readSmallObjects } from "../../src/git/objects/small-objects.ts";
import { listTree, listTrees } from "../../src/git/objects/tree.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../support/checkpoint-repository.ts";

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
});
afterEach(() => repository.remove());

const common = { identity: "A B <a@b>", atSeconds: 1_770_000_000 };

test("a bulk write gives the ids git gives, moves no ref, and paths of any kind survive", async () => {
  const { git, sh } = repository;
  const writer = openBulkWriter(git, "sha1");
  const content = Buffer.from("one\n");
  const oid = await writer.blob(content);
  const paths = ["a/b", 'quo"te', "back\\slash", "new\nline", "ünï", " space "];
  const first = await writer.commit({
    ...common,
    parents: [],
    changes: paths.map((path) => ({ kind: "blob", path, oid })),
    message: "first",
  });
  const second = await writer.commit({
    ...common,
    parents: [first],
    changes: [{ kind: "delete", path: "a" }],
    message: "second\n\nbody",
  });
  const orphan = await writer.commit({ ...common, parents: [], changes: [], message: "orphan" });
  const oids = await writer.finish();
  expect(repository.refs()).toBe("");
  expect(sh("hash-object", "-t", "blob", "--stdin", "--no-filters")).toHaveLength(40);
  expect(oid).toBe(blobOid(content, "sha1"));
  const tree = await listTree(git, oids.get(first) ?? "");
  expect(tree.map(({ path }) => path).sort()).toEqual([...paths].sort());
  expect((await listTree(git, oids.get(second) ?? "")).map(({ path }) => path)).not.toContain("a/b");
  expect(sh("rev-list", "--count", oids.get(second) ?? "")).toBe("2");
  expect(sh("rev-list", "--count", oids.get(orphan) ?? "")).toBe("1");
  expect(sh("log", "-1", "--format=%an|%ae|%at|%B", oids.get(second) ?? "")).toBe(
    "A B|a@b|1770000000|second\n\nbody",
  );
});

test("a write that git refuses is an error with git's words, and an abandoned one ends", async () => {
  const writer = openBulkWriter(repository.git, "sha1");
  await writer.commit({ ...common, parents: ["1".repeat(40) as never], changes: [], message: "x" });
  await expect(writer.finish()).rejects.toMatchObject({ code: "program-failed" });
  const other = openBulkWriter(repository.git, "sha1");
  await other.blob(Buffer.from("x"));
  other.abandon();
  await expect(other.finish()).rejects.toMatchObject({ code: "program-failed" });
});

test("objects stream in the order asked, large ones in pieces, whatever the reader takes of each", async () => {
  const { git, sh } = repository;
  const contents = [
    Buffer.alloc(0),
    randomBytes(3_000_000),
    Buffer.from("small"),
    randomBytes(200_000),
    Buffer.from("\n"),
  ];
  const writer = openBulkWriter(git, "sha1");
  const oids = [];
  for (const content of contents) oids.push(await writer.blob(content));
  await writer.finish();
  const absent = "1".repeat(40);
  for (const take of ["all", "none", "one piece"] as const) {
    const seen: string[] = [];
    let index = 0;
    for await (const object of streamObjects(git, [...oids, absent, ...oids])) {
      const content = contents[index % (contents.length + 1)];
      seen.push(object.info === undefined ? "absent" : String(object.info.sizeBytes));
      if (take === "all" && content !== undefined) expect((await object.bytes()).equals(content)).toBe(true);
      if (take === "one piece") for await (const _ of object.chunks()) break;
      index += 1;
    }
    const sizes = contents.map(({ length }) => String(length));
    expect(seen).toEqual([...sizes, "absent", ...sizes]);
  }
  const stream = openObjectStream(git);
  expect((await stream.read(oids[1] ?? "")).info?.sizeBytes).toBe(3_000_000);
  expect(String(await (await stream.read(oids[2] ?? "")).bytes())).toBe("small");
  expect((await stream.read(absent)).info).toBeUndefined();
  await stream.read(oids[1] ?? "");
  stream.expect([oids[3] ?? "", oids[2] ?? "", absent, oids[2] ?? "", oids[0] ?? ""]);
  expect(String(await (await stream.read(oids[2] ?? "")).bytes())).toBe("small");
  expect((await stream.read(absent)).info).toBeUndefined();
  expect(String(await (await stream.read(oids[2] ?? "")).bytes())).toBe("small");
  expect((await stream.read(oids[3] ?? "")).info?.sizeBytes).toBe(200_000);
  await stream.close();
  expect(
    [...(await readSmallObjects(git, [...oids, absent], 1000)).values()].map((value) =>
      Buffer.isBuffer(value) ? value.length : value,
    ),
  ).toEqual([0, "oversized", 5, "oversized", 1, "missing"]);
  expect(await missingObjects(git, [...oids, absent as never])).toEqual([absent]);
  for await (const _ of streamObjects(git, oids)) break;
  expect(sh("fsck", "--no-dangling")).toBe("");
});

test("trees are listed in bulk, below each other, and an absent one is absent", async () => {
  const { git } = repository;
  const writer = openBulkWriter(git, "sha1");
  const oid = await writer.blob(Buffer.from("x"));
  const marks: CommitMark[] = [];
  for (const path of ["a/b/c", "d"])
    marks.push(
      await writer.commit({ ...common, parents: [], changes: [{ kind: "blob", path, oid }], message: path }),
    );
  const oids = await writer.finish();
  const tips = marks.flatMap((mark) => oids.get(mark) ?? []);
  const listed = await listTrees(git, [...tips, "2".repeat(40) as never]);
  expect([...listed.values()].map((files) => files.map(({ path }) => path))).toEqual([["a/b/c"], ["d"]]);
});
