import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { Repository } from "../../git/repository.ts";
import { isForeignHead } from "../../journal/heads/foreign-head.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { readPendingHeads } from "../../journal/pending/pending-heads.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";

/** Owners of more than this many bytes are not kept with a moment: a restore then shows its lines as unknown. */
const maxOwnersBytes = 8 * 1024 * 1024;

/**
 * Keeps the owners that are pending in a worktree, for a moment that names them. Content-addressed: moments with the
 * same owners share one file. Returns the name; empty where nothing is pending or it is too large.
 */
export function keepMomentOwners(repository: Repository, files: Files): string {
  const heads = readPendingHeads(repository, files).map((head) => ({ ...head, eventId: "" }));
  if (heads.length === 0) return "";
  const bytes = encodeRecordLine({ version: 1, heads });
  if (bytes.length > maxOwnersBytes) return "";
  const name = sha256Hex(bytes).slice(0, 32);
  files.makeFolder(ownersDirectory(repository));
  if (files.statIfExists(ownersPath(repository, name)) === undefined)
    files.replaceWithoutSync(ownersPath(repository, name), bytes, { mode: 0o600 });
  return name;
}

/** The heads that a moment named; none where they are gone or damaged. */
export function readMomentOwners(repository: Repository, files: Files, name: string): readonly PathHead[] {
  if (!/^[0-9a-f]{32}$/.test(name)) return [];
  const bytes = files.readIfExists(ownersPath(repository, name));
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as keepMomentOwners wrote it
  return record?.["version"] === 1 ? (record["heads"] as PathHead[]) : [];
}

/**
 * Takes owners that a machine kept under this name: only if they are what the name says and read as owners. Returns
 * whether they are here now.
 */
export function takeForeignOwners(
  repository: Repository,
  files: Files,
  { name, bytes }: { readonly name: string; readonly bytes: Buffer },
): boolean {
  if (!/^[0-9a-f]{32}$/.test(name) || bytes.length > maxOwnersBytes) return false;
  if (sha256Hex(bytes).slice(0, 32) !== name) return false;
  const heads = parseRecordLine(bytes)?.["heads"];
  if (!Array.isArray(heads) || !heads.every(isForeignHead)) return false;
  files.makeFolder(ownersDirectory(repository));
  files.replaceWithoutSync(ownersPath(repository, name), bytes, { mode: 0o600 });
  return true;
}

/** True if owners of this name are here. */
export function hasMomentOwners(repository: Repository, files: Files, name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name) && files.statIfExists(ownersPath(repository, name)) !== undefined;
}

export function ownersDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "owners");
}

function ownersPath(repository: Repository, name: string): string {
  return join(ownersDirectory(repository), `${name}.json`);
}
