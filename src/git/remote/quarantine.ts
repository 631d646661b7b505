import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { ProcessIdentity, ProcessTable } from "../../system/process/process-table.ts";
import type { Git } from "../git.ts";
import type { Oid } from "../ids.ts";
import { readObjectFormat } from "../objects/bulk-writer.ts";

export interface QuarantineDeps {
  readonly files: Files;
  readonly processTable: ProcessTable;
}

/** A commit that is here already, which the remote need not send again. */
export interface Have {
  readonly oid: Oid;
  /** True: only the commit and its trees are here, neither its parents nor its files. */
  readonly treesOnly: boolean;
}

/**
 * A small git folder of its own that borrows the repository's objects. What a transfer would write into a repository's
 * configuration, refs or `shallow` file lands there; the objects come over by `adopt`, or not at all.
 */
export interface Quarantine {
  readonly gitDir: string;
  /** Size of the packs that have arrived. */
  receivedBytes(): number;
  /**
   * Moves the packs into the repository and protects each by a `.keep` file: nothing names these objects, so git would
   * prune them otherwise. A crash in between is completed by the next `openQuarantine`.
   */
  adopt(): void;
  /** Removes the folder, with everything that was not adopted. */
  close(): void;
}

/** Files of a pack in the order in which they may appear: git finds a pack by its index. */
export const packSuffixes = ["keep", "pack", "rev", "idx"];
/** What the `.keep` of a pack says that a transfer of ours brought. */
export const keepText = "keyframe: checkpoints of a remote\n";
const adoptingMark = "adopting";

export async function openQuarantine(
  git: Git,
  { files, processTable }: QuarantineDeps,
  haves: readonly Have[] = [],
): Promise<Quarantine> {
  const { commonDir } = git.repository;
  const objects = join(commonDir, "objects");
  const all = incomingFolder(git);
  completeOrRemoveStale(git, { files, processTable });
  const gitDir = join(all, folderName(processTable.self(), files, all));
  const format = await readObjectFormat(git);
  for (const folder of ["objects/info", "objects/pack", "refs/have"]) files.makeFolder(join(gitDir, folder));
  const write = (name: string, text: string) => files.replaceLoosely(join(gitDir, name), Buffer.from(text));
  write("objects/info/alternates", `${objects}\n`);
  write(
    "config",
    [
      // the user's own settings for proxies, credentials and URLs apply here as well
      `[include]\n\tpath = "${join(commonDir, "config").replace(/["\\]/g, "\\$&")}"`,
      '[core]\n\trepositoryformatversion = 1\n\tbare = true\n\talternateRefsCommand = "exit 0 #"',
      ...(format === "sha256" ? ["[extensions]\n\tobjectFormat = sha256"] : []),
      "[fetch]\n\tunpackLimit = 1\n",
    ].join("\n"),
  );
  // where history ends: in a shallow repository of the user, and at each commit that came alone
  const ownShallow = files.readIfExists(join(commonDir, "shallow"))?.toString("latin1") ?? "";
  const alone = haves.filter(({ treesOnly }) => treesOnly).map(({ oid }) => `${oid}\n`);
  if (ownShallow !== "" || alone.length > 0) write("shallow", ownShallow + alone.join(""));
  haves.forEach(({ oid }, index) => {
    write(`refs/have/${index}`, `${oid}\n`);
  });
  // last: a folder without it is not looked at by git
  write("HEAD", "ref: refs/heads/none\n");
  const packFolder = join(gitDir, "objects", "pack");
  return {
    gitDir,
    receivedBytes: () =>
      (files.listIfExists(packFolder) ?? [])
        .filter(({ name }) => name.endsWith(".pack"))
        .reduce((sum, { name }) => sum + (files.statIfExists(join(packFolder, name))?.sizeBytes ?? 0), 0),
    adopt() {
      const indexes = (files.listIfExists(packFolder) ?? []).filter(({ name }) => name.endsWith(".idx"));
      if (indexes.length === 0) return;
      for (const { name } of indexes) {
        const keep = name.replace(/idx$/, "keep");
        files.replace(join(packFolder, keep), Buffer.from(keepText));
      }
      fault("fetch:before-adopt");
      files.replace(join(gitDir, adoptingMark), Buffer.from(""));
      moveIn(packFolder, join(objects, "pack"), files);
    },
    close: () => files.removeTree(gitDir),
  };
}

/** Moves whole packs; done again after a crash it moves the rest. */
function moveIn(from: string, to: string, files: Files): void {
  const names = (files.listIfExists(from) ?? []).map(({ name }) => name);
  files.makeFolder(to);
  for (const suffix of packSuffixes) {
    fault("fetch:while-adopting");
    for (const name of names) {
      if (!name.endsWith(`.${suffix}`)) continue;
      // the same pack may be there from before: then it is kept twice, which is once
      files.rename(join(from, name), join(to, name));
    }
  }
  files.syncFolder(to);
}

function incomingFolder({ repository }: Git): string {
  return join(repository.commonDir, "keyframe", "incoming");
}

/** True while a transfer is under way, or has left something behind. */
export function hasTransfers(git: Git, files: Files): boolean {
  return (files.listIfExists(incomingFolder(git)) ?? []).length > 0;
}

/** Folders of transfers whose process has died. */
export function listStaleQuarantines(git: Git, { files, processTable }: QuarantineDeps): string[] {
  const all = incomingFolder(git);
  return (files.listIfExists(all) ?? []).flatMap(({ name }) => {
    const [pid = "", started = ""] = name.split("-");
    const alive = processTable.identify(Number(pid));
    return alive !== undefined && startDigest(alive) === started ? [] : [join(all, name)];
  });
}

/** What processes that have died left behind: what was verified is taken in, the rest removed. */
export function completeOrRemoveStale(git: Git, deps: QuarantineDeps): void {
  const { files } = deps;
  for (const gitDir of listStaleQuarantines(git, deps)) {
    if (files.statIfExists(join(gitDir, adoptingMark)) !== undefined) {
      moveIn(join(gitDir, "objects", "pack"), join(git.repository.commonDir, "objects", "pack"), files);
    }
    files.removeTree(gitDir);
  }
}

function folderName(self: ProcessIdentity, files: Files, all: string): string {
  for (let number = 0; ; number += 1) {
    const name = `${self.pid}-${startDigest(self)}-${number}`;
    if (files.statIfExists(join(all, name)) === undefined) return name;
  }
}

function startDigest({ startedAt }: ProcessIdentity): string {
  return sha256Hex(startedAt).slice(0, 12);
}
