import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { isOid, type Oid } from "../ids.ts";
import type { Repository } from "../repository.ts";

/** One line of a reflog: a ref went from one commit to another. */
export interface RefMove {
  readonly from: Oid;
  readonly to: Oid;
  /** Unix seconds. */
  readonly seconds: number;
  /** What git says it did: `commit (amend)`, `pull`, `rebase (pick)`, `checkout`; empty if it says nothing. */
  readonly action: string;
  /** Where the line begins in the bytes that were parsed. */
  readonly offsetBytes: number;
}

/** How far back a reflog is read, bytes. */
export const maxReflogBytes = 64 * 1024;

/** The reflog of a worktree's HEAD, as a file; absent where refs are stored otherwise or nothing is logged. */
export function headLogPath(repository: Repository): string {
  return join(repository.gitDir, "logs", "HEAD");
}

/** Moves of a ref since its reflog had `sinceBytes`, oldest first; none if there is no such file. */
export function readMovesSince(files: Files, path: string, sinceBytes: number): RefMove[] {
  const size = files.statIfExists(path)?.sizeBytes ?? 0;
  if (size <= sinceBytes) return [];
  const tail = files.readTail(path, maxReflogBytes);
  const newFrom = sinceBytes - (size - tail.length);
  return parseReflog(tail).filter(({ offsetBytes }) => offsetBytes >= newFrom);
}

/** Lines that are not whole (the first of a tail) are left out. */
export function parseReflog(bytes: Buffer): RefMove[] {
  const moves: RefMove[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    const line = bytes.toString("utf8", start, end);
    const match = /^([0-9a-f]+) ([0-9a-f]+) .*?> (\d+) [+-]\d+(?:\t([^:]*))?/.exec(line);
    const [, from = "", to = "", seconds, action = ""] = match ?? [];
    if (isOid(from) && isOid(to))
      moves.push({ from, to, seconds: Number(seconds), action: action.trim(), offsetBytes: start });
    start = end + 1;
  }
  return moves;
}
