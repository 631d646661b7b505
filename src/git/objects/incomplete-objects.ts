import type { Git } from "../git.ts";
import type { Oid } from "../ids.ts";
import { missingOwnObjects } from "./missing-objects.ts";
import { streamObjects } from "./object-stream.ts";
import type { ObjectType } from "./objects.ts";
import { parseTree } from "./tree.ts";

/** An object and what it names. */
export interface LinkedObject {
  readonly oid: Oid;
  readonly type: ObjectType;
  readonly links: readonly Oid[];
  /** First line of a commit's message. */
  readonly subject: string | undefined;
}

/**
 * Those of some objects that do not reach everything they name: a commit without its parents, a tree without a file, and
 * whatever names one of them. What is outside of `objects` and here counts as complete; pure.
 */
export function incompleteAmong(objects: readonly LinkedObject[], missing: ReadonlySet<Oid>): Set<Oid> {
  const namedBy = new Map<Oid, Oid[]>();
  for (const { oid, links } of objects) {
    for (const link of links) {
      const namers = namedBy.get(link);
      if (namers === undefined) namedBy.set(link, [oid]);
      else namers.push(oid);
    }
  }
  const incomplete = new Set<Oid>();
  const open = [...missing];
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    for (const namer of namedBy.get(oid) ?? []) {
      if (incomplete.has(namer)) continue;
      incomplete.add(namer);
      open.push(namer);
    }
  }
  return incomplete;
}

/** Reads what commits and trees name; `roots` end their history, as in a shallow clone. Files are not read. */
export async function readLinks(
  git: Git,
  oids: readonly Oid[],
  roots: ReadonlySet<string>,
): Promise<LinkedObject[]> {
  const types = await readTypes(git, oids);
  const objects: LinkedObject[] = [];
  for (const [oid, type] of types) {
    if (type !== "commit" && type !== "tree") objects.push({ oid, type, links: [], subject: undefined });
  }
  const walked = [...types].filter(([, type]) => type === "commit" || type === "tree").map(([oid]) => oid);
  for await (const object of streamObjects(git, walked)) {
    const info = object.info;
    if (info === undefined) continue;
    const content = await object.bytes();
    objects.push(
      info.type === "tree" ? toTree(info.oid, content) : toCommit(info.oid, content.toString("utf8"), roots),
    );
  }
  return objects;
}

/** What some objects name that is not among the repository's own. */
export async function missingLinks(git: Git, objects: readonly LinkedObject[]): Promise<Set<Oid>> {
  const known = new Set(objects.map(({ oid }) => oid));
  const outside = objects.flatMap(({ links }) => links.filter((link) => !known.has(link)));
  return new Set(await missingOwnObjects(git, outside));
}

async function readTypes(git: Git, oids: readonly Oid[]): Promise<Map<Oid, ObjectType>> {
  if (oids.length === 0) return new Map();
  const result = await git.run(["cat-file", "--batch-check=%(objectname) %(objecttype)", "--buffer"], {
    stdin: oids.map((oid) => `${oid}\n`).join(""),
    env: { GIT_NO_LAZY_FETCH: "1" },
  });
  return new Map(
    result.stdout
      .toString("latin1")
      .split("\n")
      .filter((line) => line !== "" && !line.endsWith(" missing"))
      .map((line): [Oid, ObjectType] => {
        const [oid, type] = line.split(" ");
        return [oid as Oid, type as ObjectType];
      }),
  );
}

function toTree(oid: Oid, content: Buffer): LinkedObject {
  const entries = parseTree(content, oid.length === 40 ? 20 : 32);
  // a submodule's commit is never here
  const links = entries.filter(({ type }) => type !== "commit").map((entry) => entry.oid);
  return { oid, type: "tree", links, subject: undefined };
}

function toCommit(oid: Oid, text: string, roots: ReadonlySet<string>): LinkedObject {
  const end = text.indexOf("\n\n");
  const links = [...text.slice(0, end === -1 ? text.length : end).matchAll(/^(tree|parent) ([0-9a-f]+)$/gm)]
    .filter(([, kind]) => kind === "tree" || !roots.has(oid))
    .map(([, , link]) => link as Oid);
  const subject = end === -1 ? undefined : text.slice(end + 2).split("\n", 1)[0];
  return { oid, type: "commit", links, subject };
}
