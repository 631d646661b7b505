import { join } from "node:path";
import { isJsonObject, jsonField, stringField } from "../../base/json.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { type ChunkMemory, parseChunkMemory } from "./push-chunks.ts";

/**
 * What is known of remotes, in `<common git dir>/keyframe/remotes/<key>.fetched.json` and `<key>.pushed.json`. No ref
 * names fetched tips: without their files they would break the user's `git gc`. Losing a file costs a fetch.
 */
export interface FetchedTip {
  readonly ref: string;
  readonly oid: Oid;
  /** False: the commit and its trees are here, of the files only those that were asked for. */
  readonly whole: boolean;
}

export interface FetchedRemote {
  readonly key: string;
  /** What the remote was called when it was fetched. */
  readonly name: string;
  readonly tips: readonly FetchedTip[];
}

type Place = { readonly repository: Repository; readonly files: Files };

/** Every remote that was fetched from; a file that cannot be understood counts as none. */
export function readFetchedRemotes({ repository, files }: Place): FetchedRemote[] {
  return (files.listIfExists(folderOf(repository)) ?? []).flatMap(({ name }) => {
    const key = /^([0-9a-f]{16})\.fetched\.json$/.exec(name)?.[1];
    const document = key === undefined ? undefined : readDocument(join(folderOf(repository), name), files);
    if (key === undefined || document === undefined) return [];
    const tips = jsonField(document, "tips");
    return [
      {
        key,
        name: stringField(document, "remote") ?? key,
        tips: (Array.isArray(tips) ? tips : []).flatMap((tip) => {
          const ref = isJsonObject(tip) ? stringField(tip, "ref") : undefined;
          const oid = isJsonObject(tip) ? stringField(tip, "oid") : undefined;
          if (!isJsonObject(tip) || ref === undefined || oid === undefined || !isOid(oid)) return [];
          return [{ ref, oid, whole: jsonField(tip, "whole") === true }];
        }),
      },
    ];
  });
}

export function readFetchedRemote(place: Place, { key, name }: Remote): FetchedRemote {
  return readFetchedRemotes(place).find((remote) => remote.key === key) ?? { key, name, tips: [] };
}

export function writeFetchedRemote({ repository, files }: Place, { key, name, tips }: FetchedRemote): void {
  writeDocument(join(folderOf(repository), `${key}.fetched.json`), files, { version: 1, remote: name, tips });
}

/** What one ref was when it was last pushed. */
export interface PushedRef {
  readonly local: Oid;
  /** What the remote's ref held then: `local`, or a commit that joined it with the work of others. */
  readonly remote: Oid;
}

export function readPushed({ repository, files }: Place, { key }: Remote): Map<string, PushedRef> {
  const document = readDocument(join(folderOf(repository), `${key}.pushed.json`), files);
  const refs = document === undefined ? undefined : jsonField(document, "refs");
  const pushed = new Map<string, PushedRef>();
  for (const [ref, value] of Object.entries(isJsonObject(refs) ? refs : {})) {
    const local = isJsonObject(value) ? stringField(value, "local") : undefined;
    const remote = isJsonObject(value) ? stringField(value, "remote") : undefined;
    if (local !== undefined && remote !== undefined && isOid(local) && isOid(remote))
      pushed.set(ref, { local, remote });
  }
  return pushed;
}

export function writePushed(
  { repository, files }: Place,
  { key, name }: Remote,
  pushed: ReadonlyMap<string, PushedRef>,
): void {
  const refs = Object.fromEntries(pushed);
  writeDocument(join(folderOf(repository), `${key}.pushed.json`), files, { version: 1, remote: name, refs });
}

export function readChunkMemory({ repository, files }: Place, { key }: Remote): ChunkMemory {
  return parseChunkMemory(readDocument(join(folderOf(repository), `${key}.chunks.json`), files));
}

export function writeChunkMemory(
  { repository, files }: Place,
  { key, name }: Remote,
  { refs, refused }: ChunkMemory,
): void {
  const path = join(folderOf(repository), `${key}.chunks.json`);
  writeDocument(path, files, { version: 1, remote: name, refs, refused: [...refused] });
}

function folderOf(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "remotes");
}

function readDocument(path: string, files: Files) {
  const text = files.readIfExists(path)?.toString("utf8");
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && jsonField(value, "version") === 1 ? value : undefined;
  } catch {
    return undefined; // torn or foreign: it is made anew by the next fetch or push
  }
}

function writeDocument(path: string, files: Files, document: object): void {
  files.makeFolder(join(path, ".."));
  files.replace(path, Buffer.from(`${JSON.stringify(document, null, 1)}\n`));
}
