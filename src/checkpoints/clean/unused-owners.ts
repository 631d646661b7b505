import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { markRefPrefix } from "../capture/marks.ts";
import { ownersDirectory } from "../capture/moment-owners.ts";
import { turnRefPrefix } from "../capture/turn-snapshots.ts";
import { safetyRefPrefix } from "../rewind/rewind-record.ts";

/** Owners that were kept for a moment. */
export interface KeptOwners {
  readonly path: string;
  readonly atMs: number;
  /** The refs of the moments that name them; empty where nothing does. */
  readonly refs: readonly string[];
}

/** Where moments are that may name owners: turns, marks, snapshots before rewinds, and turns of machines. */
const momentRefs = [turnRefPrefix, markRefPrefix, safetyRefPrefix, "refs/keyframe/runs/*/turns/"];
const ownersName = /"owners":"([0-9a-f]{32})"/g;

/** The kept owners that no race names, and the refs of the moments that do. */
export async function listKeptOwners(git: Git, files: Files): Promise<KeptOwners[]> {
  const folder = ownersDirectory(git.repository);
  const kept = (files.listIfExists(folder) ?? []).filter(({ name }) => /^[0-9a-f]{32}\.json$/.test(name));
  if (kept.length === 0) return [];
  const raced = new Set(namedByRaces(git.repository, files));
  const moments = await namedByMoments(git);
  return kept
    .map(({ name }) => ({ path: join(folder, name), name: name.slice(0, 32) }))
    .filter(({ name }) => !raced.has(name))
    .map(({ path, name }) => ({
      path,
      atMs: files.statIfExists(path)?.mtimeMs ?? Number.POSITIVE_INFINITY,
      refs: [...(moments.get(name) ?? [])],
    }));
}

/** Removes planned ones that are still as they were planned and that nothing names now. Those that are gone are fine. */
export async function removeUnusedOwners(
  git: Git,
  files: Files,
  planned: readonly KeptOwners[],
): Promise<boolean> {
  const now = new Map((await listKeptOwners(git, files)).map((each) => [each.path, each]));
  let isDone = true;
  for (const { path, atMs } of planned) {
    const found = now.get(path);
    if (found?.atMs === atMs && found.refs.length === 0) files.remove(path);
    else if (files.statIfExists(path) !== undefined) isDone = false;
  }
  return isDone;
}

async function namedByMoments(git: Git): Promise<Map<string, Set<string>>> {
  const named = new Map<string, Set<string>>();
  // by what they point to: another process may remove a ref before it is read
  const refs = new Map<string, string[]>();
  for (const line of (
    await git.text(["for-each-ref", "--format=%(objectname) %(refname)", ...momentRefs])
  ).split("\n")) {
    const [oid = "", ref] = line.split(" ");
    if (ref !== undefined) refs.set(oid, [...(refs.get(oid) ?? []), ref]);
  }
  if (refs.size === 0) return named;
  const args = [
    "log",
    "--stdin",
    "--first-parent",
    "--source",
    "--no-show-signature",
    "--format=%x00%S%x00%B",
  ];
  const { stdout } = await git.run(args, { stdin: [...refs.keys()].map((oid) => `${oid}\n`).join("") });
  const parts = stdout.toString("latin1").split("\0");
  for (let at = 1; at + 1 < parts.length; at += 2)
    for (const name of namesIn(parts[at + 1] ?? ""))
      named.set(name, new Set([...(named.get(name) ?? []), ...(refs.get(parts[at] ?? "") ?? [])]));
  return named;
}

function namedByRaces({ commonDir }: Repository, files: Files): string[] {
  const races = join(commonDir, "keyframe", "races");
  return (files.listIfExists(races) ?? []).flatMap(({ name }) =>
    namesIn(files.readIfExists(join(races, name, "race.json"))?.toString("latin1") ?? ""),
  );
}

function namesIn(text: string): string[] {
  return [...text.matchAll(ownersName)].flatMap((match) => match[1] ?? []);
}
