import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { temporaryName } from "../../system/files/files.ts";
import type { ProcessTable } from "../../system/process/process-table.ts";
import { listPathFolders, readPathHead, writePathHead } from "../heads/head-files.ts";
import { applyEvent, hasOwners } from "../heads/path-head.ts";
import type { JournalEvent } from "../journal-event.ts";
import { type Epoch, logPath, ownedPath, pathFolder } from "../layout.ts";
import { maxRecoveryBytes } from "../limits.ts";
import { readLastEvents } from "./log.ts";

export interface RecoveryDeps {
  readonly files: Files;
  readonly processTable: ProcessTable;
}

/** How many of the last events a killed process can have appended without moving their heads. */
const maxOpenEvents = 2;

/**
 * Called under the lock when its last holder was killed: removes temporary files, and gives heads the events that
 * were appended but had not reached them.
 */
export function finishInterrupted(deps: RecoveryDeps, epochs: readonly Epoch[]): void {
  const { files } = deps;
  const epoch = epochs.at(-1);
  if (epoch === undefined) return;
  for (const path of abandonedFiles(deps, epoch)) files.remove(path);
  const tail = readLastEvents(files, logPath(epoch), maxRecoveryBytes).slice(-maxOpenEvents);
  for (const event of tail) moveHead(files, epoch, event);
}

function moveHead(files: Files, epoch: Epoch, event: JournalEvent): void {
  const head = readPathHead(files, epoch, event.path);
  if (head !== undefined && (event.kind === "carry" || head.eventId === event.id)) return;
  const next = applyEvent(head, event);
  files.makeFolder(pathFolder(epoch, event.path));
  if (hasOwners(next)) files.createIfAbsent(ownedPath(epoch), Buffer.alloc(0));
  writePathHead(files, epoch, next);
}

/** Files that an atomic write began and its process did not live to rename. */
function* abandonedFiles(deps: RecoveryDeps, epoch: Epoch): Generator<string> {
  for (const folder of [epoch.folder, join(epoch.folder, ".."), ...listPathFolders(deps.files, epoch)]) {
    for (const { name } of deps.files.listIfExists(folder) ?? []) {
      const writer = temporaryName.exec(name)?.[1];
      if (writer !== undefined && deps.processTable.identify(Number(writer)) === undefined)
        yield join(folder, name);
    }
  }
}
