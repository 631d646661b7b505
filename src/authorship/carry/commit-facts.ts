import { isOid, type Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";

/** What a commit says about itself that leads to the commits it was made from. */
export interface CommitFacts {
  readonly oid: Oid;
  readonly parents: readonly Oid[];
  /** Author and time of authorship: kept by rebase, pick, am, filters and restacks. */
  readonly authorship: string;
  /** The `change-id` header of jj, GitButler and others. */
  readonly changeId: string | undefined;
  readonly subject: string;
  /** Unix seconds. */
  readonly authorSeconds: number;
  readonly committerSeconds: number;
  readonly picked: readonly Oid[];
  readonly reverted: readonly Oid[];
  /** From the message of `git merge --squash`. */
  readonly squashed: readonly Oid[];
}

/** Undefined if the object is not here or no commit. */
export async function readCommitFacts(reader: ObjectReader, oid: Oid): Promise<CommitFacts | undefined> {
  const object = await reader.read(oid);
  return object?.type === "commit" ? parseCommitFacts(oid, object.content) : undefined;
}

/** Reads a raw commit object. */
export function parseCommitFacts(oid: Oid, content: Buffer): CommitFacts {
  const text = content.toString("utf8");
  const end = text.indexOf("\n\n");
  const headers = (end === -1 ? text : text.slice(0, end)).split("\n");
  const message = end === -1 ? "" : text.slice(end + 2);
  const field = (name: string) => headers.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const seconds = (name: string) => Number(/ (-?\d+) [+-]\d+$/.exec(field(name) ?? "")?.[1] ?? 0);
  return {
    oid,
    parents: headers.flatMap((line) => (line.startsWith("parent ") ? oidsIn(line) : [])),
    authorship: field("author") ?? "",
    changeId: field("change-id"),
    subject: message.split("\n", 1)[0] ?? "",
    authorSeconds: seconds("author"),
    committerSeconds: seconds("committer"),
    picked: namedIn(message, /^\(cherry picked from commit ([0-9a-f]+)\)/gm),
    reverted: namedIn(message, /^This reverts commit ([0-9a-f]+)/gm),
    squashed: message.startsWith("Squashed commit of the following:")
      ? namedIn(message, /^commit ([0-9a-f]+)$/gm)
      : [],
  };
}

function namedIn(message: string, pattern: RegExp): Oid[] {
  return [...message.matchAll(pattern)].flatMap((match) => oidsIn(match[1] ?? ""));
}

function oidsIn(text: string): Oid[] {
  return text.split(/[^0-9a-f]/).filter(isOid);
}
