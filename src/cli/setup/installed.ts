import { dirname } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { absent, type FileChange, type FileState } from "../../base/file-change.ts";
import type { InstallChange } from "../../git/hooks/plan.ts";
import type { Repository } from "../../git/repository.ts";
import { installedRecordPath } from "../../state/switch.ts";
import type { Files } from "../../system/files/files.ts";

/**
 * What `enable` wrote and what was there before, so that `disable --uninstall` can give every byte back.
 * `<common git dir>/keyframe/installed.json`: {"version":1,"paths":[{"path","original","written","added"?}]}.
 */
export interface InstalledPath {
  readonly path: string;
  readonly original: FileState;
  /** Digest of the state that was written: only if it is still there is the original put back whole. */
  readonly written: string;
  /** What was added to a list that other repositories add to as well. */
  readonly added?: readonly string[];
}

/** A change that is recorded before it is made. */
export interface RecordedChange extends InstallChange {
  readonly added?: readonly string[];
}

/** A record that cannot be read counts as none: taking out then works from the files themselves. */
export function readInstalled(repository: Repository, files: Files): InstalledPath[] {
  return readInstalledAt(installedRecordPath(repository), files);
}

export function readInstalledAt(record: string, files: Files): InstalledPath[] {
  const text = files.readIfExists(record)?.toString("utf8");
  if (text === undefined) return [];
  try {
    const { version, paths } = JSON.parse(text) as { version: unknown; paths: readonly StoredPath[] };
    return version === 1 ? paths.map((stored) => ({ ...stored, original: parseState(stored.original) })) : [];
  } catch {
    return []; // damaged, or of a later version
  }
}

/** The record after these changes. What was there before the first of several changes stays known. */
export function recordInstalled(
  installed: readonly InstalledPath[],
  changes: readonly RecordedChange[],
): InstalledPath[] {
  const byPath = new Map(installed.map((entry) => [entry.path, entry]));
  for (const { path, before, after, original, added } of changes) {
    const known = byPath.get(path);
    const untouched = known !== undefined && known.written === stateDigest(before);
    byPath.set(path, {
      path,
      original: untouched ? known.original : original,
      written: stateDigest(after),
      ...(added === undefined ? {} : { added: [...new Set([...(known?.added ?? []), ...added])] }),
    });
  }
  return [...byPath.values()];
}

export function writeInstalled(
  repository: Repository,
  files: Files,
  installed: readonly InstalledPath[],
): void {
  writeInstalledAt(installedRecordPath(repository), files, installed);
}

export function writeInstalledAt(record: string, files: Files, installed: readonly InstalledPath[]): void {
  files.makeFolder(dirname(record));
  files.replace(record, encodeInstalled(installed), { mode: 0o600 });
}

function encodeInstalled(installed: readonly InstalledPath[]): Buffer {
  const paths = installed.map((entry) => ({ ...entry, original: encodeState(entry.original) }));
  return Buffer.from(`${JSON.stringify({ version: 1, paths }, null, 1)}\n`);
}

/**
 * A planned removal, made exact where nobody has touched the path since; a file that Keyframe made and that holds
 * nothing else goes.
 */
export function restoreExactly(change: FileChange, installed: readonly InstalledPath[]): FileChange {
  const known = installed.find((entry) => entry.path === change.path);
  if (known?.written === stateDigest(change.before)) return { ...change, after: known.original };
  return known?.original.kind === "absent" && isBare(change.after) ? { ...change, after: absent } : change;
}

function isBare(state: FileState): boolean {
  return state.kind === "file" && /^\s*(?:\{\s*\}\s*)?$/.test(state.content.toString("utf8"));
}

interface StoredPath extends Omit<InstalledPath, "original"> {
  readonly original: StoredState;
}

type StoredState =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly base64: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string };

function encodeState(state: FileState): StoredState {
  return state.kind === "file"
    ? { kind: "file", base64: state.content.toString("base64"), mode: state.mode }
    : state;
}

function parseState(state: StoredState): FileState {
  return state.kind === "file"
    ? { kind: "file", content: Buffer.from(state.base64, "base64"), mode: state.mode }
    : state;
}

function stateDigest(state: FileState): string {
  return sha256Hex(JSON.stringify(encodeState(state)));
}
