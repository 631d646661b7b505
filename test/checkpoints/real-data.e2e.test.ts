import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeJsonDocument, type JsonMap, parseJsonDocument } from "../../src/base/json-document.ts";
import { findCheckpointProblems } from "../../src/checkpoints/doctor/find-problems.ts";
import { applyMigration } from "../../src/checkpoints/migrate/migrate.ts";
import { readMigrationPlan } from "../../src/checkpoints/migrate/read-plan.ts";
import { verifyMigration } from "../../src/checkpoints/migrate/verify-migration.ts";
import { explainCheckpoint } from "../../src/checkpoints/query/explain.ts";
import { listCheckpoints } from "../../src/checkpoints/query/list-checkpoints.ts";
import { listCheckpointPlaces, readCheckpoints } from "../../src/checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader } from "../../src/checkpoints/query/read-transcript.ts";
import { type SessionFiles, sessionsOf } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { orderKeys, rootOrder, sessionOrder } from "../../src/checkpoints/record/metadata-order.ts";
import { layouts } from "../../src/checkpoints/stores/layouts.ts";
import { storeKinds } from "../../src/checkpoints/stores/open-stores.ts";
import { emptyState, planCheckpoint } from "../../src/checkpoints/stores/plan-write.ts";
import type { BlobSource, SessionWrite } from "../../src/checkpoints/stores/store.ts";
import { tryLoadStates } from "../../src/checkpoints/stores/stored-state.ts";
import { readSmallObjects } from "../../src/git/objects/small-objects.ts";
import { lineCompactorOf } from "../../src/transcripts/compact/agents.ts";
import { encodeCompactLine } from "../../src/transcripts/compact/compact-line.ts";
import { createCompactor } from "../../src/transcripts/compact/compactor.ts";
import { type CheckpointRepository, openCheckpointRepository } from "../support/checkpoint-repository.ts";
import {
  hasRealCheckpoints,
  type RealRepository,
  unpackRealCheckpoints,
} from "../support/real-checkpoints.ts";

interface Expected {
  readonly name: RealRepository;
  readonly checkpoints: number;
  readonly sessions: number;
}
const besideTheProject: readonly Expected[] = [
  { name: "auth-go", checkpoints: 27, sessions: 27 },
  { name: "herdr-trails", checkpoints: 1, sessions: 1 },
  { name: "roger-roger", checkpoints: 4, sessions: 4 },
  { name: "skills", checkpoints: 103, sessions: 135 },
  { name: "test-repo", checkpoints: 2, sessions: 3 },
];
const expected: readonly Expected[] = [
  { name: "sample", checkpoints: 2, sessions: 3 },
  ...(hasRealCheckpoints ? besideTheProject : []),
];

const testBeside = test.skipIf(!hasRealCheckpoints);

describe("real checkpoints of other tools", () => {
  let data: ReturnType<typeof unpackRealCheckpoints>;
  const open = (name: RealRepository) => openCheckpointRepository(data.path(name));
  beforeAll(() => {
    data = unpackRealCheckpoints();
  });
  afterAll(() => data.remove());

  test.each(expected)(
    "all of $name are listed and explained, in any order of the stores",
    async ({ name, checkpoints, sessions }) => {
      const { git, stores } = open(name);
      const listed = [];
      for await (const checkpoint of listCheckpoints(git, stores, { withAuthors: true }))
        listed.push(checkpoint);
      expect(listed).toHaveLength(checkpoints);
      expect(listed.flatMap(({ unread }) => unread)).toEqual([]);
      const times = listed.map(({ createdAt }) => Date.parse(createdAt ?? ""));
      expect(times).toEqual([...times].sort((a, b) => b - a));
      let explained = 0;
      for (const [id, places] of [...(await listCheckpointPlaces(stores))].slice(0, 30)) {
        const { explanation } = await explainCheckpoint(git, id, places);
        explained += explanation.sessions.length;
        expect(explanation.author).toMatch(/<.+>/);
      }
      if (checkpoints <= 30) expect(explained).toBe(sessions);
    },
  );

  test.each(expected)(
    "metadata of $name is decoded and encoded to the same bytes, and its root follows from its sessions",
    async ({ name }) => {
      const { git, stores } = open(name);
      for (const kind of storeKinds) {
        const trees = await stores[kind].list();
        const states = await tryLoadStates(
          git,
          new Map([...trees].map(([id, { files }]) => [id, new Map(files)])),
        );
        const oids = [...trees.values()].flatMap(({ files }) =>
          [...files].filter(([path]) => path.endsWith("metadata.json")).map(([, oid]) => oid),
        );
        for (const [oid, bytes] of await readSmallObjects(git, oids, 1e8)) {
          const document = parseJsonDocument(String(bytes)) as JsonMap;
          const order = document.has("sessions") ? rootOrder : sessionOrder;
          expect(`${encodeJsonDocument(orderKeys(document, order))}\n`, oid).toBe(String(bytes));
        }
        for (const [id, tree] of trees) {
          const state = states.get(id);
          if (state === undefined || !("root" in state) || state.root === undefined)
            throw new Error(`no state of ${id}`);
          const own = ["checkpoints_count", "files_touched", "token_usage", "sessions"];
          const root: JsonMap = new Map([...state.root].filter(([key]) => !own.includes(key)));
          const sessions = sessionsOf(tree).map((files): SessionWrite => {
            const source = (oid: (typeof files)["prompt"]): BlobSource | undefined =>
              oid === undefined ? undefined : { oid };
            const others = new Map<string, BlobSource>(
              [...files.others].map(([path, oid]) => [path, { oid }]),
            );
            if (files.compactHash !== undefined)
              others.set("transcript_hash.txt", { oid: files.compactHash });
            const write = {
              metadata: layouts[kind].decodeSession(state.sessions.get(files.index) ?? new Map()),
              transcript: files.transcript.map((oid) => ({ oid })),
              contentHash: source(files.contentHash),
              prompt: source(files.prompt),
              compact: source(files.compact),
              context: source(files.context),
              others,
            };
            return Object.fromEntries(
              Object.entries(write).filter(([, value]) => value !== undefined),
            ) as unknown as SessionWrite;
          });
          const planned = planCheckpoint(emptyState, { id, root, sessions }, layouts[kind]);
          expect(encodeJsonDocument(planned.root ?? null), id).toBe(encodeJsonDocument(state.root));
        }
      }
    },
  );

  testBeside("what a mirror left out is missing here, never empty", async () => {
    const { git, stores } = open("skills");
    const problems = await findCheckpointProblems(git, stores);
    const missing = problems.filter(({ kind }) => kind === "missing here");
    expect(missing).toHaveLength(2);
    expect(missing[0]?.what).toMatch(/recorded but not on this machine \(1 transcripts\)/);
    expect(problems.filter(({ kind }) => kind === "unreadable record")).toEqual([]);
    const id = missing[0]?.subject ?? "";
    const tree = [...(await listCheckpointPlaces(stores)).values()].flat().find((one) => one.id === id);
    if (tree === undefined) throw new Error("no tree");
    const reader = openTranscriptReader(git);
    const outcomes = new Set<string>();
    for (const files of sessionsOf(tree)) {
      try {
        for await (const _ of reader.open(tree.id, files));
        outcomes.add("read");
      } catch (error) {
        outcomes.add((error as { code: string }).code);
      }
    }
    await reader.close();
    expect(outcomes).toContain("not-here");
  });

  testBeside(
    "our compact transcripts are theirs, byte for byte, where theirs covers the whole session",
    async () => {
      const { git, stores } = open("skills");
      const trees = await stores.v2.list();
      const states = await tryLoadStates(
        git,
        new Map([...trees].map(([id, { files }]) => [id, new Map(files)])),
      );
      const reader = openTranscriptReader(git);
      const outcome = { same: 0, partial: 0, absent: 0, other: [] as string[] };
      for (const [id, tree] of trees) {
        const state = states.get(id);
        for (const files of sessionsOf(tree)) {
          if (files.compact === undefined || state === undefined || !("sessions" in state)) continue;
          if ((await reader.missing(files.transcript)).length > 0) {
            outcome.absent += 1;
            continue;
          }
          const theirs = String((await readSmallObjects(git, [files.compact], 1e8)).get(files.compact));
          const { agent, cli_version: cliVersion } = JSON.parse(theirs.slice(0, theirs.indexOf("\n")));
          const compactLine = lineCompactorOf(
            (state.sessions.get(files.index)?.get("agent") ?? "") as string,
          );
          if (compactLine === undefined) throw new Error("an agent that is not known");
          const compactor = createCompactor(compactLine);
          for await (const piece of reader.open(id, files)) compactor.push(piece);
          compactor.endLine();
          const lines = compactor.take();
          const last = compactor.open();
          if (last !== undefined) lines.push(last);
          const ours = lines.map((line) => encodeCompactLine(line, { agent, cliVersion })).join("");
          if (ours === theirs) outcome.same += 1;
          // an older version stored only what the checkpoint added, from the middle of a message on
          else if (endsAlike(ours, theirs)) outcome.partial += 1;
          else outcome.other.push(`${id}/${files.index}`);
        }
      }
      await reader.close();
      expect(outcome).toEqual({ same: 102, partial: 14, absent: 2, other: [] });
    },
  );

  const onlyV1 = expected.filter(({ name }) => name === "sample" || name === "auth-go");
  test.each(onlyV1)(
    "v1 to v2 to v1 keeps every transcript of $name by object id, and refs hold the same",
    async ({ name, checkpoints }) => {
      const target = openCheckpointRepository(data.path(name));
      const before = await transcripts(target, "v1");
      for (const to of ["v2", "refs"] as const) {
        const plan = await readMigrationPlan(target.git, target.stores, { to });
        expect(plan.steps).toHaveLength(checkpoints);
        await applyMigration(target.git, target.stores, plan, { nowSeconds: 1_770_000_000 });
        expect((await verifyMigration(target.git, target.stores, to)).differing).toEqual([]);
        expect(await transcripts(target, to)).toEqual(before);
      }
      for (const ref of target.refs().split("\n")) {
        const [name = ""] = ref.split(" ");
        if (!name.startsWith("refs/entire/checkpoints/v2/")) target.sh("update-ref", "-d", name);
      }
      const back = await readMigrationPlan(target.git, target.stores, { to: "v1" });
      await applyMigration(target.git, target.stores, back, { nowSeconds: 1_770_000_000 });
      expect(await transcripts(target, "v1")).toEqual(before);
    },
  );

  test.each(expected)(
    "$name goes through v1, v2, refs and back with the same transcripts, as often and by digest",
    async ({ name }) => {
      const copy = unpackRealCheckpoints();
      try {
        const target = openCheckpointRepository(copy.path(name));
        // what lies in several formats is first brought together in one
        await migrateAll(target, "refs");
        keepOnly(target, "refs");
        const before = await digests(target, "refs");
        expect(before.length).toBeGreaterThan(0);
        for (const to of ["v1", "v2", "refs", "v2", "v1", "refs"] as const) {
          await migrateAll(target, to);
          expect((await verifyMigration(target.git, target.stores, to)).differing, to).toEqual([]);
          keepOnly(target, to);
          expect(await digests(target, to)).toEqual(before);
        }
      } finally {
        copy.remove();
      }
    },
  );

  testBeside("our v1 to v2 agrees with theirs in what both have", async () => {
    const { git, stores } = open("skills");
    const theirs = await stores.v2.list();
    const both = new Map([...(await stores.v1.list())].filter(([id]) => theirs.has(id)));
    expect(both.size).toBe(57);
    const theirStates = await tryLoadStates(
      git,
      new Map([...theirs].map(([id, { files }]) => [id, new Map(files)])),
    );
    const plan = await readMigrationPlan(git, stores, { to: "v2", force: true });
    await applyMigration(git, stores, plan, { nowSeconds: 1_770_000_000 });
    const ours = await stores.v2.list();
    const ourStates = await tryLoadStates(
      git,
      new Map([...ours].map(([id, { files }]) => [id, new Map(files)])),
    );
    const differing = new Map<string, number>();
    const differingFiles = new Map<string, number>();
    let compared = 0;
    for (const id of both.keys()) {
      const [a, b] = [theirStates.get(id), ourStates.get(id)];
      if (a === undefined || b === undefined || !("sessions" in a) || !("sessions" in b))
        throw new Error(`no state of ${id}`);
      for (const metadata of a.sessions.values()) {
        const same = [...b.sessions.values()].find(
          (one) => one.get("session_id") === metadata.get("session_id"),
        );
        if (same === undefined) continue;
        compared += 1;
        for (const key of new Set([...metadata.keys(), ...same.keys()])) {
          const text = (document: JsonMap) => encodeJsonDocument(document.get(key) ?? null);
          if (text(metadata) !== text(same)) differing.set(key, (differing.get(key) ?? 0) + 1);
        }
      }
    }
    const reader = openTranscriptReader(git);
    const compact = { same: 0, absent: 0, other: [] as string[] };
    for (const id of both.keys()) {
      const [theirTree, ourTree] = [theirs.get(id), ours.get(id)];
      const [a, b] = [theirStates.get(id), ourStates.get(id)];
      if (theirTree === undefined || ourTree === undefined) throw new Error(`no tree of ${id}`);
      for (const files of sessionsOf(theirTree)) {
        const sessionId =
          a !== undefined && "sessions" in a && a.sessions.get(files.index)?.get("session_id");
        const same = sessionsOf(ourTree).find(
          ({ index }) =>
            b !== undefined && "sessions" in b && b.sessions.get(index)?.get("session_id") === sessionId,
        );
        if (same === undefined) continue;
        for (const name of ["transcript", "contentHash", "prompt"] as const) {
          if (String(files[name]) !== String(same[name]))
            differingFiles.set(name, (differingFiles.get(name) ?? 0) + 1);
        }
        const [theirText, ourText] = await Promise.all([
          compactOf(git, files.compact),
          compactOf(git, same.compact),
        ]);
        if (theirText === ourText) compact.same += 1;
        else if ((await reader.missing(same.transcript)).length > 0) compact.absent += 1;
        else compact.other.push(`${id}/${files.index}`);
      }
    }
    expect(compared).toBe(67);
    expect([...differingFiles]).toEqual([]);
    await reader.close();
    expect(compact).toEqual({ same: 65, absent: 2, other: [] });
    // each of these is explained in docs/formats/checkpoints-v2.md
    expect([...differing]).toEqual([
      ["cli_version", 64],
      ["created_at", 67],
      ["checkpoint_transcript_start", 2],
      ["raw_transcript_start", 37],
      ["prompt_attributions", 61],
    ]);
  });
});

async function migrateAll({ git, stores }: CheckpointRepository, to: (typeof storeKinds)[number]) {
  for (;;) {
    const plan = await readMigrationPlan(git, stores, { to });
    if (plan.steps.length === 0) break;
    const { failed } = await applyMigration(git, stores, plan, { nowSeconds: 1_770_000_000 });
    expect(failed).toEqual([]);
  }
}

function keepOnly(target: CheckpointRepository, kind: (typeof storeKinds)[number]): void {
  for (const line of target.refs().split("\n")) {
    const [ref = ""] = line.split(" ");
    const isV1 = ref.endsWith("/entire/checkpoints/v1");
    const isV2 = ref.startsWith("refs/entire/checkpoints/v2/");
    const isRefs = ref.startsWith("refs/entire/checkpoints/") && !isV2;
    if ((isV1 && kind !== "v1") || (isV2 && kind !== "v2") || (isRefs && kind !== "refs"))
      target.sh("update-ref", "-d", ref);
  }
}

/** Of every session: checkpoint, session and SHA-256 of the transcript's bytes, or which objects are not here. */
async function digests(
  { git, stores }: CheckpointRepository,
  kind: (typeof storeKinds)[number],
): Promise<string[]> {
  const reader = openTranscriptReader(git);
  const found: string[] = [];
  for (const { id, sessions } of await readCheckpoints(
    git,
    [...(await stores[kind].list())].map(([id, tree]) => [id, [tree]]),
  )) {
    for (const { files, metadata } of sessions) {
      const name = typeof metadata === "string" ? metadata : metadata.sessionId;
      const absent = await reader.missing(files.transcript);
      const hash = createHash("sha256");
      if (absent.length > 0 || files.transcript.length === 0) hash.update(files.transcript.join(" "));
      else for await (const piece of reader.open(id, files)) hash.update(piece);
      found.push(`${id} ${name} ${hash.digest("hex")}`);
    }
  }
  await reader.close();
  return found.sort();
}

/** A compact transcript without what names its writer: which build it was, and by which of its names it calls the agent. */
async function compactOf(git: CheckpointRepository["git"], oid: SessionFiles["compact"]): Promise<string> {
  if (oid === undefined) return "";
  const text = String((await readSmallObjects(git, [oid], 1e8)).get(oid));
  return text.replaceAll(/^\{"v":1,"agent":"[^"]*","cli_version":"[^"]*",/gm, "{");
}

/** True if `whole` ends with all of `part` but its first four lines at most. */
function endsAlike(whole: string, part: string): boolean {
  let rest = part;
  for (let dropped = 0; dropped <= 4; dropped += 1) {
    if (rest !== "" && whole.endsWith(`\n${rest}`)) return true;
    rest = rest.slice(rest.indexOf("\n") + 1);
  }
  return false;
}

async function transcripts(
  { stores }: CheckpointRepository,
  kind: (typeof storeKinds)[number],
): Promise<string[]> {
  const trees = await stores[kind].list();
  return [...trees]
    .flatMap(([id, tree]) => sessionsOf(tree).map((files) => `${id} ${files.transcript.join(" ")}`))
    .sort();
}
