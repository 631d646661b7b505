import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { ProcessIdentity, ProcessTable } from "../../system/process/process-table.ts";
import { fetchedObjectsFolder, prepareFetched } from "../fetched-objects.ts";
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
 * A small git directory of its own that borrows the repository's objects and those that were fetched. What a transfer
 * would write into a repository's configuration, refs or `shallow` file lands there, and so does what is written on top
 * of commits that came alone; the objects go where fetched ones are kept by `adopt`, or nowhere.
 */
export interface Quarantine {
  readonly gitDir: string;
  /** Runs git in it. History ends at the commits that came alone, as in a shallow clone. */
  readonly git: Git;
  /** Size of the packs that have arrived. */
  receivedBytes(): number;
  /** Keeps the objects with those fetched before. A crash in between is completed by the next `openQuarantine`. */
  adopt(): void;
  /** Removes the directory, with everything that was not adopted. */
  close(): void;
}

/** Files of a pack in the order in which they may appear: git finds a pack by its index. */
export const packSuffixes = ["keep", "pack", "rev", "idx"];
const adoptingMark = "adopting";

export async function openQuarantine(
  git: Git,
  { files, processTable }: QuarantineDeps,
  haves: readonly Have[] = [],
): Promise<Quarantine> {
  const { commonDir } = git.repository;
  const fetched = fetchedObjectsFolder(git.repository);
  const all = incomingFolder(git);
  completeOrRemoveStale(git, { files, processTable });
  const gitDir = join(all, folderName(processTable.self(), files, all));
  const format = await readObjectFormat(git);
  prepareFetched(git.repository, files, format);
  for (const folder of ["objects/info", "objects/pack", "refs/have"]) files.makeFolder(join(gitDir, folder));
  const write = (name: string, text: string) =>
    files.replaceWithoutSync(join(gitDir, name), Buffer.from(text));
  write("objects/info/alternates", `${join(commonDir, "objects")}\n${fetched}\n`);
  write(
    "config",
    [
      // the user's own settings for proxies, credentials and URLs apply here as well
      `[include]\n\tpath = "${join(commonDir, "config").replace(/["\\]/g, "\\$&")}"`,
      '[core]\n\trepositoryformatversion = 1\n\tbare = true\n\talternateRefsCommand = "exit 0 #"',
      ...(format === "sha256" ? ["[extensions]\n\tobjectFormat = sha256"] : []),
      "[fetch]\n\tunpackLimit = 1\n[fastimport]\n\tunpackLimit = 1\n",
    ].join("\n"),
  );
  // where history ends: in a shallow repository of the user, and at each commit that came alone
  const ownShallow = files.readIfExists(join(commonDir, "shallow"))?.toString("latin1") ?? "";
  const alone = haves.filter(({ treesOnly }) => treesOnly).map(({ oid }) => `${oid}\n`);
  if (ownShallow !== "" || alone.length > 0) write("shallow", ownShallow + alone.join(""));
  haves.forEach(({ oid }, index) => {
    write(`refs/have/${index}`, `${oid}\n`);
  });
  promiseFetched(join(fetched, "pack"), join(gitDir, "objects", "pack"), files);
  // last: a directory without it is not looked at by git
  write("HEAD", "ref: refs/heads/none\n");
  const packFolder = join(gitDir, "objects", "pack");
  return {
    gitDir,
    git: gitIn(git, gitDir),
    receivedBytes: () =>
      (files.listIfExists(packFolder) ?? [])
        .filter(({ name, kind }) => name.endsWith(".pack") && kind === "file")
        .reduce((sum, { name }) => sum + (files.statIfExists(join(packFolder, name))?.sizeBytes ?? 0), 0),
    adopt() {
      fault("fetch:before-adopt");
      files.replace(join(gitDir, adoptingMark), Buffer.from(""));
      moveIn(join(gitDir, "objects"), fetched, files);
    },
    close: () => files.removeTree(gitDir),
  };
}

/**
 * The packs fetched before, as ones of which the remote has whatever they name. Only here: marked so where they lie, a
 * reader in a partial clone of the user would want to fetch what is absent, and some versions of git die over it.
 */
function promiseFetched(from: string, to: string, files: Files): void {
  const names = (files.listIfExists(from) ?? []).map(({ name }) => name);
  for (const suffix of ["pack", "idx"]) {
    for (const name of names.filter((each) => each.endsWith(`.${suffix}`)))
      files.makeSymlink(join(from, name), join(to, name));
  }
  for (const name of names.filter((each) => each.endsWith(".pack")))
    files.replaceWithoutSync(join(to, name.replace(/pack$/, "promisor")), Buffer.from(""));
}

function gitIn(git: Git, gitDir: string): Git {
  const there = (args: readonly string[]) => ["--git-dir", gitDir, ...args];
  return {
    repository: { workTree: undefined, gitDir, commonDir: gitDir },
    run: (args, options) => git.run(there(args), options),
    text: (args, options) => git.text(there(args), options),
    start: (args, options) => git.start(there(args), options),
  };
}

/** Moves loose objects and whole packs; done again after a crash it moves the rest. */
function moveIn(from: string, to: string, files: Files): void {
  const list = (folder: string) => (files.listIfExists(join(from, folder)) ?? []).map(({ name }) => name);
  for (const folder of list("").filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    files.makeFolder(join(to, folder));
    for (const name of list(folder)) {
      fault("fetch:while-adopting");
      if (/^[0-9a-f]+$/.test(name)) files.rename(join(from, folder, name), join(to, folder, name));
    }
  }
  const packs = (files.listIfExists(join(from, "pack")) ?? [])
    .filter(({ kind }) => kind === "file")
    .map(({ name }) => name);
  for (const suffix of packSuffixes) {
    fault("fetch:while-adopting");
    for (const name of packs) {
      // the same pack may be there from before: then it is kept twice, which is once
      if (name.endsWith(`.${suffix}`)) files.rename(join(from, "pack", name), join(to, "pack", name));
    }
  }
  files.syncFolder(join(to, "pack"));
}

function incomingFolder({ repository }: Git): string {
  return join(repository.commonDir, "keyframe", "incoming");
}

/** True while a transfer is under way, or has left something behind. */
export function hasTransfers(git: Git, files: Files): boolean {
  return (files.listIfExists(incomingFolder(git)) ?? []).length > 0;
}

/** Directories of transfers whose process has died. */
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
      const fetched = fetchedObjectsFolder(git.repository);
      files.makeFolder(join(fetched, "pack"));
      moveIn(join(gitDir, "objects"), fetched, files);
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
