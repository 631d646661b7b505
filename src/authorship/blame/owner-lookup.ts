import { isNullOid, type Oid } from "../../git/ids.ts";
import { type AuthorshipMetadata, type FileOwners, normalisePath, ownersByPath } from "../note/log.ts";
import { parseAuthorshipLog } from "../note/log-codec.ts";
import type { NoteSource } from "../note/note-source.ts";
import { type Owner, resolveOwner } from "../note/owners.ts";
import { keyAtLine } from "../rules/owner-runs.ts";
import type { PendingFile, PendingOwners } from "./pending-owners.ts";

/** A line as the commit that wrote it knows it. */
export interface LineOrigin {
  /** All zeros for a line that is not committed yet. */
  readonly commit: Oid;
  readonly path: string;
  /** 1-based, in the file as of that commit. */
  readonly line: number;
}

export interface LineOwner {
  readonly key: string;
  readonly owner: Owner;
  /** Of the note (or pending state) that says so. */
  readonly metadata: AuthorshipMetadata;
}

/** Who owns lines of commits whose notes were loaded. */
export interface OwnerLookup {
  /** Loads the notes of these commits; those already loaded cost nothing. */
  load(commits: Iterable<Oid>): Promise<void>;
  /** Undefined: nobody knows. */
  ownerOf(origin: LineOrigin): LineOwner | undefined;
}

interface LoadedNote {
  readonly metadata: AuthorshipMetadata;
  readonly files: ReadonlyMap<string, FileOwners>;
}

export function openOwnerLookup(source: NoteSource, pendingOwners?: PendingOwners): OwnerLookup {
  const notes = new Map<Oid, LoadedNote | undefined>();
  const owners = new Map<string, Owner | undefined>();
  const pendingFiles = new Map<string, PendingFile | undefined>();

  function resolveOnce(commit: Oid, key: string, metadata: AuthorshipMetadata): Owner | undefined {
    const id = `${commit} ${key}`;
    if (!owners.has(id)) owners.set(id, resolveOwner(metadata, key));
    return owners.get(id);
  }

  function pendingFile(path: string): PendingFile | undefined {
    if (!pendingFiles.has(path)) pendingFiles.set(path, pendingOwners?.(path));
    return pendingFiles.get(path);
  }

  return {
    async load(commits) {
      const missing = [...new Set(commits)].filter((commit) => !isNullOid(commit) && !notes.has(commit));
      if (missing.length === 0) return;
      const found = await source.read(missing);
      for (const commit of missing) {
        const bytes = found.get(commit);
        const log = bytes === undefined ? undefined : parseAuthorshipLog(bytes).log;
        notes.set(commit, log && { metadata: log.metadata, files: ownersByPath(log) });
      }
    },
    ownerOf({ commit, path, line }) {
      const pending = isNullOid(commit) ? pendingFile(path) : undefined;
      const note = notes.get(commit);
      const runs = pending?.runs ?? note?.files.get(normalisePath(path))?.runs;
      const metadata = pending?.metadata ?? note?.metadata;
      const key = runs === undefined ? undefined : keyAtLine(runs, line);
      if (key === undefined || metadata === undefined) return undefined;
      const owner = resolveOnce(commit, key, metadata);
      return owner === undefined ? undefined : { key, owner, metadata };
    },
  };
}
