import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { fetchedObjectsFolder } from "../fetched-objects.ts";
import type { Git } from "../git.ts";
import { openQuarantine, packSuffixes, type QuarantineDeps } from "./quarantine.ts";

export interface FetchedPack {
  /** `pack-<digest>`, without a suffix. */
  readonly name: string;
  readonly sizeBytes: number;
  /** False: what a killed removal left; git does not see it any more. */
  readonly isWhole: boolean;
}

/** The packs that transfers of ours brought, by name. */
export function listFetchedPacks(git: Git, files: Files): FetchedPack[] {
  const folder = packFolder(git);
  const names = new Set((files.listIfExists(folder) ?? []).map(({ name }) => name));
  return [...names].flatMap((file) => {
    const name = /^(pack-[0-9a-f]+)\.pack$/.exec(file)?.[1];
    if (name === undefined) return [];
    const sizeBytes = files.statIfExists(join(folder, file))?.sizeBytes ?? 0;
    return [{ name, sizeBytes, isWhole: names.has(`${name}.idx`) }];
  });
}

/**
 * Makes one pack of several. No object goes. The new pack is in place before the first old one is taken away, so a crash leaves objects twice and never none.
 */
export async function joinFetchedPacks(
  git: Git,
  deps: QuarantineDeps,
  names: readonly string[],
): Promise<void> {
  const folder = packFolder(git);
  const wanted = new Set<string>();
  for (const name of names) {
    for (const oid of await objectsOf(git, deps.files, join(folder, `${name}.idx`))) wanted.add(oid);
  }
  const quarantine = await openQuarantine(git, deps);
  let made: string;
  try {
    const base = join(quarantine.gitDir, "objects", "pack", "pack");
    const args = ["pack-objects", "-q", "--delta-base-offset", base];
    made = `pack-${await quarantine.git.text(args, { stdin: [...wanted].map((oid) => `${oid}\n`).join("") })}`;
    fault("clean:before-adopt");
    quarantine.adopt();
  } finally {
    quarantine.close();
  }
  const held = new Set(await objectsOf(git, deps.files, join(folder, `${made}.idx`)));
  for (const oid of wanted) {
    if (!held.has(oid)) throw new KeyframeError("damaged", `the joined pack ${made} lacks ${oid}`);
  }
  for (const name of names) if (name !== made) removeFetchedPack(git, deps.files, name);
}

/** The index goes first: without it git does not look at the rest. */
export function removeFetchedPack(git: Git, files: Files, name: string): void {
  for (const suffix of packSuffixes.toReversed()) {
    files.remove(join(packFolder(git), `${name}.${suffix}`));
    fault("clean:while-removing-pack");
  }
}

function packFolder({ repository }: Git): string {
  return join(fetchedObjectsFolder(repository), "pack");
}

/** Every object that a pack's index names. */
async function objectsOf(git: Git, files: Files, indexPath: string): Promise<string[]> {
  const text = await git.text(["show-index"], { stdin: files.read(indexPath) });
  return text.split("\n").flatMap((line) => line.split(" ")[1] ?? []);
}
