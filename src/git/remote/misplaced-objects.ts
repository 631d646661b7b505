import { join } from "node:path";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { fetchedObjectsFolder } from "../fetched-objects.ts";
import type { Git } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";
import {
  incompleteAmong,
  type LinkedObject,
  missingLinks,
  readLinks,
} from "../objects/incomplete-objects.ts";
import { openQuarantine, packSuffixes, type QuarantineDeps } from "./quarantine.ts";

/** What earlier versions of ours left in the repository's own object directory, where git's walks run into it. */
export interface MisplacedObjects {
  /** Packs of fetches (`pack-<digest>`), which a `.keep` of ours protects. */
  readonly packs: readonly string[];
  /** Commits that joined ours with a remote's, and trees without their files. */
  readonly loose: readonly Oid[];
}

const keepText = "keyframe: checkpoints of a remote\n";
/** Younger objects may belong to a command of the user that is still writing the rest. */
const settledMs = 60 * 60 * 1000;

/** One listing of a directory: cheap enough for each fetch and push. */
export function listMisplacedPacks({ repository }: Git, files: Files): string[] {
  const folder = join(repository.commonDir, "objects", "pack");
  return (files.listIfExists(folder) ?? []).flatMap(({ name }) => {
    const pack = /^(pack-[0-9a-f]+)\.keep$/.exec(name)?.[1];
    const isOurs =
      pack !== undefined && files.readIfExists(join(folder, name))?.toString("latin1") === keepText;
    return isOurs ? [pack] : [];
  });
}

/**
 * Reads every loose commit and tree, and the packs of fetches. Without `nowMs` only what certainly is ours is found, not what
 * a killed command left long ago.
 */
export async function findMisplaced(git: Git, files: Files, nowMs?: number): Promise<MisplacedObjects> {
  return (await look(git, files, nowMs)).misplaced;
}

/**
 * Moves all of it to where fetched objects are kept. Objects of the packs that are complete stay in the repository as well:
 * git leaves out of its own packs what it has already. Killed anywhere, nothing that the repository needs is
 * lost, and the next run does the rest.
 */
export async function moveMisplaced(
  git: Git,
  deps: QuarantineDeps,
  nowMs?: number,
): Promise<MisplacedObjects> {
  const { files } = deps;
  const { misplaced, complete } = await look(git, files, nowMs);
  const fetched = fetchedObjectsFolder(git.repository);
  const own = join(git.repository.commonDir, "objects");
  if (misplaced.packs.length > 0) {
    const stdin = [...complete].map((oid) => `${oid}\n`).join("");
    if (stdin !== "") await git.run(["pack-objects", "-q", join(own, "pack", "pack")], { stdin });
    fault("heal:before-moving");
    await dropMultiPackIndex(git, files);
    await movePacks(git, deps, misplaced.packs);
  }
  for (const oid of misplaced.loose) {
    const [folder, name] = [oid.slice(0, 2), oid.slice(2)];
    files.makeFolder(join(fetched, folder));
    if (files.statIfExists(join(own, folder, name)) !== undefined)
      files.rename(join(own, folder, name), join(fetched, folder, name));
  }
  return misplaced;
}

async function look(git: Git, files: Files, nowMs: number | undefined) {
  const packs = listMisplacedPacks(git, files);
  const packed = (await Promise.all(packs.map((name) => objectsOf(git, files, name)))).flat();
  // where anything may be missing, nothing can be told of the user's own objects
  const loose = (await isPartial(git)) ? new Map<Oid, number>() : listLoose(git, files);
  const shallow = files.readIfExists(join(git.repository.commonDir, "shallow"))?.toString("latin1") ?? "";
  const objects = await readLinks(
    git,
    [...new Set([...packed, ...loose.keys()])],
    new Set(shallow.split("\n")),
  );
  const incomplete = incompleteAmong(objects, await missingLinks(git, objects));
  const byOid = new Map(objects.map((object) => [object.oid, object]));
  const ours = reachedFrom(
    objects.filter(({ oid, subject }) => incomplete.has(oid) && isJoin(subject)),
    byOid,
  );
  const isSettled = (oid: Oid) => (nowMs ?? 0) - (loose.get(oid) ?? 0) > settledMs;
  const misplaced: MisplacedObjects = {
    packs,
    loose: [...loose.keys()].filter((oid) => incomplete.has(oid) && (ours.has(oid) || isSettled(oid))),
  };
  return { misplaced, complete: new Set(packed.filter((oid) => byOid.has(oid) && !incomplete.has(oid))) };
}

/** As the messages of such commits have always been. */
function isJoin(subject: string | undefined): boolean {
  return subject !== undefined && /^Join (?:checkpoint \S+|\d+ checkpoints)$/.test(subject);
}

function reachedFrom(from: readonly LinkedObject[], byOid: ReadonlyMap<Oid, LinkedObject>): ReadonlySet<Oid> {
  const reached = new Set<Oid>();
  const open = [...from];
  for (let object = open.pop(); object !== undefined; object = open.pop()) {
    if (reached.has(object.oid)) continue;
    reached.add(object.oid);
    open.push(...object.links.flatMap((link) => byOid.get(link) ?? []));
  }
  return reached;
}

async function isPartial(git: Git): Promise<boolean> {
  const pattern = String.raw`^(remote\..*\.promisor|extensions\.partialclone)$`;
  return (await git.run(["config", "--get-regexp", pattern], { okCodes: [0, 1] })).code === 0;
}

/** When each was written. */
function listLoose({ repository }: Git, files: Files): Map<Oid, number> {
  const own = join(repository.commonDir, "objects");
  const found = new Map<Oid, number>();
  for (const { name: folder } of files.listIfExists(own) ?? []) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const { name } of files.listIfExists(join(own, folder)) ?? []) {
      const oid = `${folder}${name}`;
      const writtenMs = isOid(oid) ? files.statIfExists(join(own, folder, name))?.mtimeMs : undefined;
      if (isOid(oid) && writtenMs !== undefined) found.set(oid, writtenMs);
    }
  }
  return found;
}

/** Every object of a pack; none where its index is gone already. */
async function objectsOf(git: Git, files: Files, name: string): Promise<Oid[]> {
  const index = files.readIfExists(join(git.repository.commonDir, "objects", "pack", `${name}.idx`));
  if (index === undefined) return [];
  const text = await git.text(["show-index"], { stdin: index });
  return text.split("\n").flatMap((line) => {
    const oid = line.split(" ")[1] ?? "";
    return isOid(oid) ? [oid] : [];
  });
}

/** It names the packs that go; git finds objects without it, and makes it anew where it is configured to. */
async function dropMultiPackIndex({ repository }: Git, files: Files): Promise<void> {
  const folder = join(repository.commonDir, "objects", "pack");
  files.removeTree(join(folder, "multi-pack-index.d"));
  for (const { name } of files.listIfExists(folder) ?? [])
    if (name.startsWith("multi-pack-index")) files.remove(join(folder, name));
}

async function movePacks(git: Git, deps: QuarantineDeps, packs: readonly string[]): Promise<void> {
  const { files } = deps;
  const own = join(git.repository.commonDir, "objects", "pack");
  const quarantine = await openQuarantine(git, deps);
  try {
    const to = join(quarantine.gitDir, "objects", "pack");
    for (const name of packs) {
      // the index first: without it git does not look at the rest; the mark that it is ours last
      for (const suffix of packSuffixes.toReversed()) {
        const from = join(own, `${name}.${suffix}`);
        if (suffix === "keep") files.remove(from);
        else if (files.statIfExists(from) !== undefined) files.rename(from, join(to, `${name}.${suffix}`));
        fault("heal:while-moving");
      }
    }
    quarantine.adopt();
  } finally {
    quarantine.close();
  }
}
