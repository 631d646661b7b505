import type { Repository } from "../../git/repository.ts";
import { fault } from "../../system/fault.ts";
import { type Files, temporaryPathFor } from "../../system/files/files.ts";
import { readPathHeads } from "../heads/head-files.ts";
import type { JournalEvent } from "../journal-event.ts";
import { type Epoch, listEpochs, logPath } from "../layout.ts";
import { type JournalDeps, withJournalLock } from "../log/journal.ts";
import { type DamagedLine, readEvents } from "../log/log.ts";
import { encodeRecordLine } from "../record-line.ts";

export interface PruneResult {
  readonly keptEvents: number;
  readonly droppedEvents: number;
  /** Lines that were no whole events; a prune drops them too. */
  readonly damagedLines: number;
}

export interface PruneOptions {
  /** Events before this moment are dropped, milliseconds since 1970. */
  readonly beforeMs: number;
  readonly dryRun: boolean;
}

/**
 * Drops old events from the logs of a worktree. Heads are not touched and the event that each head names is kept, so
 * nothing pending is lost. Each log is streamed to a temporary file that then takes its place.
 */
export function pruneJournal(deps: JournalDeps, repository: Repository, options: PruneOptions): PruneResult {
  const total = { keptEvents: 0, droppedEvents: 0, damagedLines: 0 };
  const prune = () => {
    for (const epoch of listEpochs(repository, deps.files)) pruneLog(deps.files, epoch, { options, total });
  };
  if (options.dryRun) prune();
  else withJournalLock(deps, repository, prune);
  return total;
}

function pruneLog(
  files: Files,
  epoch: Epoch,
  { options, total }: { options: PruneOptions; total: { -readonly [Key in keyof PruneResult]: number } },
): void {
  const path = logPath(epoch);
  if (files.statIfExists(path) === undefined) return;
  const needed = new Set([...readPathHeads(files, epoch)].map((head) => head.eventId));
  const temporary = temporaryPathFor(path);
  if (!options.dryRun) files.append(temporary, Buffer.alloc(0), { mode: 0o600 });
  let batch: Buffer[] = [];
  let batchBytes = 0;
  const flush = () => {
    if (!options.dryRun && batchBytes > 0) files.append(temporary, Buffer.concat(batch), { mode: 0o600 });
    batch = [];
    batchBytes = 0;
  };
  try {
    for (const entry of readEvents(files, path)) {
      if (!isKept(entry, needed, options.beforeMs)) {
        total["damaged" in entry ? "damagedLines" : "droppedEvents"] += 1;
        continue;
      }
      const line = encodeRecordLine(entry);
      batch.push(line);
      batchBytes += line.length;
      total.keptEvents += 1;
      if (batchBytes > maxBatchBytes) flush();
    }
    flush();
    fault("prune:before-rename");
    if (!options.dryRun) files.rename(temporary, path);
  } catch (error) {
    files.remove(temporary);
    throw error;
  }
}

const maxBatchBytes = 1024 * 1024;

function isKept(entry: JournalEvent | DamagedLine, needed: ReadonlySet<string>, beforeMs: number): boolean {
  return !("damaged" in entry) && (entry.at >= beforeMs || needed.has(entry.id));
}
