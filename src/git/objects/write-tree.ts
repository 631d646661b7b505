import { dirname } from "node:path/posix";
import { type Git, gitFailed } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";

/**
 * Makes a tree of each list of files (path to blob) and returns their ids in order. A blob may be absent from this
 * machine. One `git mktree` for all trees of a depth.
 */
export async function writeTrees(git: Git, lists: readonly ReadonlyMap<string, Oid>[]): Promise<Oid[]> {
  const folders = lists.map(toFolders);
  const deepest = Math.max(0, ...folders.flatMap((list) => [...list.keys()].map(depthOf)));
  for (let depth = deepest; depth >= 0; depth -= 1) {
    const level = folders.flatMap((list) =>
      [...list]
        .filter(([path]) => depthOf(path) === depth)
        .map(([path, entries]) => ({ list, path, entries })),
    );
    const made = await makeTrees(
      git,
      level.map(({ entries }) => entries),
    );
    for (const [index, { list, path }] of level.entries()) {
      const oid = made[index];
      if (oid === undefined) continue;
      const parent = list.get(path === "" ? "" : parentOf(path));
      if (path === "") list.set("", [{ type: "tree", name: "", oid }]);
      else parent?.push({ type: "tree", name: path.slice(path.lastIndexOf("/") + 1), oid });
    }
  }
  return folders.flatMap((list) => list.get("")?.[0]?.oid ?? []);
}

interface Entry {
  readonly type: "blob" | "tree";
  readonly name: string;
  readonly oid: Oid;
}

function toFolders(files: ReadonlyMap<string, Oid>): Map<string, Entry[]> {
  const folders = new Map<string, Entry[]>([["", []]]);
  for (const [path, oid] of files) {
    for (let folder = parentOf(path); !folders.has(folder); folder = parentOf(folder))
      folders.set(folder, []);
    folders.get(parentOf(path))?.push({ type: "blob", name: path.slice(path.lastIndexOf("/") + 1), oid });
  }
  return folders;
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === "." ? "" : parent;
}

function depthOf(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}

async function makeTrees(git: Git, trees: readonly (readonly Entry[])[]): Promise<Oid[]> {
  if (trees.length === 0) return [];
  const args = ["mktree", "--missing", "--batch"];
  const listings = trees.map((entries) =>
    entries
      .map(
        ({ type, name, oid }) => `${type === "tree" ? "040000" : "100644"} ${type} ${oid}\t${quoted(name)}\n`,
      )
      .join(""),
  );
  const result = await git.run(args, { stdin: listings.map((listing) => `${listing}\n`).join("") });
  const oids = result.stdout.toString("latin1").split("\n").filter(isOid);
  if (oids.length !== trees.length) throw gitFailed(args, { ...result, code: 1 });
  return oids;
}

function quoted(name: string): string {
  return `"${name.replace(/[\\"]/g, String.raw`\$&`).replaceAll("\n", String.raw`\n`)}"`;
}
