// Covers src/checkpoints/migrate/**.
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { applyMigration } from "../../../src/checkpoints/migrate/migrate.ts";
import { readMigrationPlan } from "../../../src/checkpoints/migrate/read-plan.ts";
import { verifyMigration } from "../../../src/checkpoints/migrate/verify-migration.ts";
import { type StoreKind, sessionsOf } from "../../../src/checkpoints/record/checkpoint-tree.ts";
import { commitMessage } from "../../../src/checkpoints/stores/commit-message.ts";
import type { CheckpointWrite } from "../../../src/checkpoints/stores/store.ts";
import { tryLoadStates } from "../../../src/checkpoints/stores/stored-state.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../../support/checkpoint-repository.ts";
import {
  checkpointWrite,
  generatedCheckpoint,
  generatedId,
  generateTranscript,
  sessionWrite,
} from "../../support/generate-checkpoints.ts";

function without<T extends object, K extends keyof T>(value: T, key: K): T {
  const copy = { ...value };
  delete copy[key];
  return copy;
}

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
});
afterEach(() => repository.remove());

const main = "refs/entire/checkpoints/v2/main";
const full = "refs/entire/checkpoints/v2/full/";
const nowSeconds = 1_770_000_000;
const fill = (kind: StoreKind, writes: readonly CheckpointWrite[]) =>
  repository.stores[kind].write(writes, { message: commitMessage(kind, "checkpoint"), nowSeconds });
async function migrate(to: StoreKind, force = false) {
  const plan = await readMigrationPlan(repository.git, repository.stores, { to, force });
  return { plan, result: await applyMigration(repository.git, repository.stores, plan, { nowSeconds }) };
}
const verify = (to: StoreKind) => verifyMigration(repository.git, repository.stores, to);
const many = (count: number) => Array.from({ length: count }, (_, n) => generatedCheckpoint(n, 1));
const rawBlobs = (ref: string, name: RegExp) =>
  repository
    .sh("ls-tree", "-r", ref)
    .split("\n")
    .filter((line) => name.test(line))
    .map((line) => line.split(/\s/)[2]);

describe("migrating to v2", () => {
  test("packs generations oldest first, one commit a batch, and re-uses every raw transcript", async () => {
    await fill("v1", many(250).reverse());
    const { result } = await migrate("v2");
    expect(result).toMatchObject({ migrated: 250, skipped: 0, failed: [], warnings: [] });
    // one commit to begin the ref and one for each batch
    expect(repository.sh("rev-list", "--count", main)).toBe("4");
    const folders = (ref: string) =>
      new Set(
        repository
          .sh("ls-tree", "-r", "--name-only", ref)
          .split("\n")
          .filter((path) => path[2] === "/")
          .map((path) => path.slice(0, 13)),
      ).size;
    expect([
      folders(main),
      folders(`${full}0000000000001`),
      folders(`${full}0000000000002`),
      folders(`${full}current`),
    ]).toEqual([250, 100, 100, 50]);
    const generation = (number: number) =>
      JSON.parse(repository.sh("cat-file", "blob", `${full}000000000000${number}:generation.json`));
    expect(generation(1).newest_checkpoint_at < generation(2).oldest_checkpoint_at).toBe(true);
    const raw = [`${full}0000000000001`, `${full}0000000000002`, `${full}current`].flatMap((ref) =>
      rawBlobs(ref, /raw_transcript$/),
    );
    expect(new Set(raw)).toEqual(new Set(rawBlobs("entire/checkpoints/v1", /full\.jsonl$/)));
    expect(repository.sh("log", "-1", "--format=%s|%an", main)).toBe(
      "Migrate batch: 50 checkpoint(s), 50 session(s)|Keyframe Migration",
    );
  });

  test("a second run changes nothing, and --force writes the same again without a second copy", async () => {
    await fill("v1", many(120));
    await migrate("v2");
    const before = repository.refs();
    const again = await migrate("v2");
    expect(again.plan).toMatchObject({ steps: [], skipped: 120 });
    expect(repository.refs()).toBe(before);
    const forced = await migrate("v2", true);
    expect(forced.result.migrated).toBe(120);
    expect(repository.refs()).toBe(before);
  });

  test("counts the start of a checkpoint in compact lines, and the way back restores it", async () => {
    const write = generatedCheckpoint(1, 6);
    write.sessions[0]?.metadata.set("checkpoint_transcript_start", 12);
    await fill("v1", [write]);
    await migrate("v2");
    const sessions = async (kind: StoreKind) => {
      const tree = await repository.stores[kind].find(write.id);
      const state = (await tryLoadStates(repository.git, new Map([[write.id, new Map(tree?.files)]]))).get(
        write.id,
      );
      return state !== undefined && "sessions" in state ? state.sessions.get(0) : undefined;
    };
    expect((await sessions("v2"))?.get("checkpoint_transcript_start")).toBe(6);
    repository.sh("update-ref", "-d", "refs/heads/entire/checkpoints/v1");
    await migrate("v1");
    expect((await sessions("v1"))?.get("checkpoint_transcript_start")).toBe(12);
    expect((await sessions("v1"))?.get("compact_transcript_start")).toBe(6);
  });

  test("finds the raw start of a checkpoint that was written as v2 by others", async () => {
    const write = generatedCheckpoint(1, 6);
    write.sessions[0]?.metadata.set("checkpoint_transcript_start", 12);
    await fill("v1", [write]);
    await migrate("v2");
    const folder = `${write.id.slice(0, 2)}/${write.id.slice(2)}/0/metadata.json`;
    const foreign = repository
      .sh("cat-file", "blob", `${main}:${folder}`)
      .replace(/ {2}"raw_transcript_start": 12,\n/, "");
    expect(foreign).not.toContain("raw_transcript_start");
    const tip = repository.sh("rev-parse", main);
    const stream = `commit ${main}\ncommitter A <a@b> 1 +0000\ndata 1\nx\nfrom ${tip}\nM 100644 inline ${folder}\ndata ${Buffer.byteLength(foreign) + 1}\n${foreign}\n\ndone\n`;
    execFileSync("git", ["-C", repository.folder, "fast-import", "--quiet", "--done"], { input: stream });
    repository.sh("update-ref", "-d", "refs/heads/entire/checkpoints/v1");
    const { result } = await migrate("v1");
    expect(result.migrated).toBe(1);
    const back = repository.sh("cat-file", "blob", `entire/checkpoints/v1:${folder}`);
    expect(JSON.parse(back)).toMatchObject({ checkpoint_transcript_start: 12, compact_transcript_start: 6 });
  });

  test("a session without a transcript keeps its prompt, with a warning, and one that is damaged fails alone", async () => {
    const bare = checkpointWrite(generatedId(1), []);
    const session = sessionWrite(bare.id, {
      sessionId: "bare",
      createdAt: "2026-01-01T00:00:00Z",
      transcript: [],
    });
    const { contentHash: _, ...without } = session;
    const other = sessionWrite(bare.id, {
      sessionId: "other",
      createdAt: "2026-01-01T00:00:00Z",
      transcript: generateTranscript(1, 1),
    });
    await fill("v1", [{ ...bare, sessions: [without, other] }, generatedCheckpoint(2, 1)]);
    const broken = `${generatedId(2).slice(0, 2)}/${generatedId(2).slice(2)}/0/metadata.json`;
    const tip = repository.sh("rev-parse", "entire/checkpoints/v1");
    execFileSync("git", ["-C", repository.folder, "fast-import", "--quiet", "--done"], {
      input: `commit refs/heads/entire/checkpoints/v1\ncommitter A <a@b> 1 +0000\ndata 1\nx\nfrom ${tip}\nM 100644 inline ${broken}\ndata 3\n{"a\n\ndone\n`,
    });
    const { result } = await migrate("v2");
    expect(result.failed.map(({ id }) => id)).toEqual([generatedId(2)]);
    expect(result.warnings).toEqual([`checkpoint ${generatedId(1)}, session 0: no transcript was recorded`]);
    const tree = await repository.stores.v2.find(generatedId(1));
    expect(
      tree === undefined ? [] : sessionsOf(tree).map(({ index, prompt }) => [index, prompt !== undefined]),
    ).toEqual([
      [0, true],
      [1, true],
    ]);
    expect((await migrate("v2")).plan.steps.map(({ id }) => id)).toEqual([generatedId(2)]);
  });

  test("brings over a session that was added since, and leaves a longer version in the target alone", async () => {
    await fill("v1", [generatedCheckpoint(1, 1)]);
    await migrate("v2");
    await fill("v1", [
      checkpointWrite(generatedId(1), [
        { sessionId: "late", createdAt: "2026-02-01T00:00:00Z", transcript: generateTranscript(9, 1) },
      ]),
    ]);
    const longer = generatedCheckpoint(1, 3);
    await fill("v2", [longer]);
    const { plan, result } = await migrate("v2");
    expect(plan.steps.map(({ sessions }) => [...(sessions ?? [])])).toEqual([["late"]]);
    expect(result.failed).toEqual([]);
    const tree = await repository.stores.v2.find(generatedId(1));
    expect(tree === undefined ? 0 : sessionsOf(tree).length).toBe(2);
    expect(repository.sh("cat-file", "blob", tree?.files.get("0/raw_transcript") ?? "")).toBe(
      generateTranscript(1, 3).toString().trim(),
    );
  });
});

test("every direction ends with the same transcripts, and is idempotent", async () => {
  await fill("v1", many(30));
  const kinds: StoreKind[] = ["v2", "refs", "v1"];
  for (const to of kinds) {
    const { result } = await migrate(to);
    expect(result.failed).toEqual([]);
    expect((await verify(to)).differing).toEqual([]);
    const before = repository.refs();
    expect((await migrate(to)).plan.steps).toEqual([]);
    expect(repository.refs()).toBe(before);
  }
  expect((await repository.stores.refs.list()).size).toBe(30);
});

test("verifying says which checkpoints differ", async () => {
  await fill("v1", many(3));
  await fill("v2", [generatedCheckpoint(0, 1)]);
  expect((await verify("v2")).differing.map(({ id }) => id).sort()).toEqual(
    [generatedId(1), generatedId(2)].sort(),
  );
});

describe("one to one", () => {
  const id = generatedId(7);
  /** One session id in three directories, as merges of others leave it: two unlike transcripts, one that was never kept. */
  const repeated = (): CheckpointWrite => {
    const session = (number: number, transcript: Buffer, slot: number) => ({
      ...sessionWrite(id, {
        sessionId: "same",
        createdAt: `2026-01-0${number}T00:00:00Z`,
        transcript,
        fields: { commit_sha: `commit ${number}`, x_of_others: number },
      }),
      prompt: { bytes: Buffer.from(`prompt ${number}`) },
      slot,
    });
    const { contentHash: _, ...bare } = { ...session(3, Buffer.of(), 5), transcript: [] };
    const other = checkpointWrite(id, []);
    return {
      ...other,
      root: new Map([...other.root, ["x_root", "kept"]]),
      sessions: [session(1, generateTranscript(1, 2), 3), session(2, generateTranscript(2, 1), 0), bare],
      tasks: new Map([["toolu_1/agent-a.jsonl", { bytes: Buffer.from("a task\n") }]]),
      others: new Map([
        ["notes/readme.txt", { bytes: Buffer.from("of another tool") }],
        ["0/tasks/toolu_1/agent-a.jsonl", { bytes: Buffer.from("another task of that name\n") }],
      ]),
      whole: true,
    };
  };
  const only = (kind: StoreKind) => {
    const prefix = { v1: "refs/heads/entire/", v2: "refs/entire/checkpoints/v2/", refs: "refs/entire/" }[
      kind
    ];
    for (const line of repository.refs().split("\n")) {
      const [ref = ""] = line.split(" ");
      const isV2 = ref.startsWith("refs/entire/checkpoints/v2/");
      if (ref.includes("entire/") && !(ref.startsWith(prefix) && (kind === "refs" ? !isV2 : true)))
        repository.sh("update-ref", "-d", ref);
    }
  };
  const shape = async (kind: StoreKind) => {
    const tree = await repository.stores[kind].find(id);
    const root = JSON.parse(repository.sh("cat-file", "blob", tree?.files.get("metadata.json") ?? ""));
    return root.sessions.map(({ metadata }: { metadata: string }) => {
      const index = Number(/(\d+)\/metadata\.json$/.exec(metadata)?.[1]);
      const files = tree === undefined ? undefined : sessionsOf(tree).find((one) => one.index === index);
      const own = JSON.parse(repository.sh("cat-file", "blob", files?.metadata ?? ""));
      return [index, own.session_id, own.x_of_others, files?.transcript, files?.prompt];
    });
  };

  test("keeps every folder of a session id, in its place and order, through every format and back", async () => {
    await fill("v1", [repeated()]);
    const before = await shape("v1");
    expect(before.map((row: unknown[]) => row.slice(0, 3))).toEqual([
      [3, "same", 1],
      [0, "same", 2],
      [5, "same", 3],
    ]);
    for (const to of ["v2", "refs", "v1", "refs", "v2", "v1"] as const) {
      const { result } = await migrate(to);
      expect(result.failed).toEqual([]);
      expect(await verify(to)).toMatchObject({
        checkpoints: 1,
        sessions: 3,
        transcripts: 2,
        subagents: 2,
        differing: [],
      });
      only(to);
      expect(await shape(to), to).toEqual(before);
      const tree = await repository.stores[to].find(id);
      const tasks = [...(tree?.files ?? [])].filter(([path]) => path.includes("tasks/"));
      expect(new Set(tasks.map(([, oid]) => oid)).size).toBe(2);
      expect(tree?.files.has("notes/readme.txt")).toBe(true);
    }
  });

  test("mends a target that holds only one of them", async () => {
    await fill("v1", [repeated()]);
    const [, second] = repeated().sessions;
    await fill("v2", [{ ...repeated(), sessions: second === undefined ? [] : [second] }]);
    expect((await verify("v2")).differing).toHaveLength(1);
    await migrate("v2");
    expect((await verify("v2")).differing).toEqual([]);
    expect(await shape("v2")).toEqual(await shape("v1"));
    expect((await migrate("v2")).plan.steps).toEqual([]);
  });

  test("brings a session over again that has gone on since, and adds one that went another way", async () => {
    await fill("v1", [generatedCheckpoint(1, 1)]);
    await migrate("v2");
    await fill("v1", [generatedCheckpoint(1, 4)]);
    expect((await verify("v2")).differing).toHaveLength(1);
    await migrate("v2");
    expect((await verify("v2")).differing).toEqual([]);
    const other = generatedCheckpoint(1, 1).sessions[0];
    const apart = { ...generatedCheckpoint(1, 1), whole: true };
    const transcript = [{ bytes: generateTranscript(99, 2) }];
    await fill("v1", [
      { ...apart, sessions: other === undefined ? [] : [{ ...other, transcript, slot: 0 }] },
    ]);
    await migrate("v2");
    const tree = await repository.stores.v2.find(generatedId(1));
    expect(tree === undefined ? [] : sessionsOf(tree).map(({ index }) => index)).toEqual([0, 1]);
    expect((await verify("v2")).differing).toEqual([]);
    expect((await migrate("v2")).plan.steps).toEqual([]);
  });

  test("takes what only a second store has", async () => {
    await fill("v1", [generatedCheckpoint(1, 1)]);
    await migrate("refs");
    const late = {
      sessionId: "late",
      createdAt: "2026-02-01T00:00:00Z",
      transcript: generateTranscript(9, 1),
    };
    await fill("v1", [checkpointWrite(generatedId(1), [late])]);
    const { plan } = await migrate("v2");
    expect(plan.hasSeveralSources).toBe(true);
    await migrate("v2");
    const tree = await repository.stores.v2.find(generatedId(1));
    expect(tree === undefined ? 0 : sessionsOf(tree).length).toBe(2);
    expect((await migrate("v2")).plan.steps).toEqual([]);
  });

  test("keeps the numbers of chunks where the record lacks some", async () => {
    const write = generatedCheckpoint(1, 1);
    const session = write.sessions[0];
    if (session === undefined) throw new Error("no session");
    const transcript = [{ bytes: Buffer.from("a\n") }, { bytes: Buffer.from("c\n") }];
    await fill("v1", [{ ...write, sessions: [{ ...session, transcript, missingChunks: [0, 2] }] }]);
    await migrate("v2");
    const tree = await repository.stores.v2.find(write.id);
    expect([...(tree?.files.keys() ?? [])].filter((path) => path.includes("raw_transcript")).sort()).toEqual([
      "0/raw_transcript.001",
      "0/raw_transcript.003",
      "0/raw_transcript_hash.txt",
    ]);
  });

  test.each<[string, (write: CheckpointWrite) => CheckpointWrite, RegExp]>([
    ["a session less", (write) => ({ ...write, sessions: write.sessions.slice(1) }), /session 3 .*missing/],
    ["another order", (write) => ({ ...write, sessions: [...write.sessions].reverse() }), /another order/],
    [
      "a shorter transcript",
      (write) => change(write, 0, { transcript: [{ bytes: Buffer.from("{}\n") }] }),
      /transcript of session/,
    ],
    ["another prompt", (write) => change(write, 1, { prompt: { bytes: Buffer.from("x") } }), /prompt of/],
    [
      "a member less",
      (write) => {
        write.sessions[0]?.metadata.delete("x_of_others");
        return write;
      },
      /member x_of_others/,
    ],
    ["a task less", (write) => without(write, "tasks"), /subagent's file/],
    ["a file less", (write) => without(write, "others"), /file notes\/readme.txt/],
    ["another root", (write) => ({ ...write, root: new Map([...write.root, ["x_root", 1]]) }), /x_root/],
  ])("verifying fails on %s", async (_, damage, why) => {
    await fill("v1", [repeated()]);
    await migrate("refs");
    expect((await verify("refs")).differing).toEqual([]);
    only("v1");
    await fill("refs", [damage(repeated())]);
    const { differing } = await verify("refs");
    expect(differing.map((one) => one.why.join("; "))).toEqual([expect.stringMatching(why)]);
  });

  function change(
    write: CheckpointWrite,
    index: number,
    fields: Partial<CheckpointWrite["sessions"][number]>,
  ): CheckpointWrite {
    const sessions = write.sessions.map((session, at) =>
      at === index ? { ...session, ...fields } : session,
    );
    return { ...write, sessions };
  }
});
