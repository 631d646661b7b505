import { isOid, type Oid } from "../ids.ts";
import type { ObjectReader } from "./objects.ts";

export interface CommitHeader {
  readonly oid: Oid;
  readonly parents: readonly Oid[];
  /** Unix seconds. */
  readonly authorSeconds: number;
  readonly committerSeconds: number;
}

/** Undefined if the object is not here or no commit. */
export async function readCommitHeader(reader: ObjectReader, oid: Oid): Promise<CommitHeader | undefined> {
  const object = await reader.read(oid);
  return object?.type === "commit" ? parseCommitHeader(oid, object.content) : undefined;
}

/** Reads the header lines of a raw commit object. */
export function parseCommitHeader(oid: Oid, content: Buffer): CommitHeader {
  const end = content.indexOf("\n\n");
  const lines = content.toString("latin1", 0, end === -1 ? content.length : end).split("\n");
  const fieldOf = (line: string, name: string) =>
    line.startsWith(`${name} `) ? line.slice(name.length + 1) : undefined;
  const secondsOf = (name: string) => {
    const ident = lines.map((line) => fieldOf(line, name)).find((value) => value !== undefined);
    return Number(/ (-?\d+) [+-]\d+$/.exec(ident ?? "")?.[1] ?? 0);
  };
  return {
    oid,
    parents: lines.map((line) => fieldOf(line, "parent") ?? "").filter(isOid),
    authorSeconds: secondsOf("author"),
    committerSeconds: secondsOf("committer"),
  };
}
