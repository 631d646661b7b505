import { join } from "node:path";
import type { Repository } from "../../git/repository.ts";
import { type Files, temporaryName } from "../../system/files/files.ts";
import type { JournalEvent } from "../journal-event.ts";
import { type BaseCommit, journalFolder } from "../layout.ts";
import { encodeRecordLine, parseRecordLine } from "../record-line.ts";

/** One event that did not reach the log, and what it was computed from. */
export interface WaitingEvent {
  readonly event: JournalEvent;
  /** The digest of the path's newest state as its writer saw it; null where it saw no head. */
  readonly from: string | null;
  /** The bytes of the event's state. */
  readonly content?: Buffer;
}

/** What one process would have recorded while HEAD was at `base`, had the journal's lock come in time. */
export interface WaitingRecording {
  readonly base: BaseCommit;
  readonly events: readonly WaitingEvent[];
}

export interface WaitingFile {
  readonly path: string;
  /** Undefined if the file is damaged. */
  readonly recording: WaitingRecording | undefined;
}

interface Writer {
  readonly files: Files;
  readonly nowMs: number;
  readonly id: string;
}

/** Keeps a recording in a file of its own until a holder of the lock takes it in. Waits for the disk. */
export function writeWaiting(
  repository: Repository,
  { base, events }: WaitingRecording,
  { files, nowMs, id }: Writer,
): void {
  const folder = waitingFolder(repository);
  files.makeFolder(folder, { mode: 0o700 });
  const lines = events.map(({ content, ...rest }) =>
    content === undefined ? rest : { ...rest, content: content.toString("base64") },
  );
  // names in order of time
  const name = `${String(nowMs).padStart(15, "0")}-${id}.json`;
  files.replace(join(folder, name), encodeRecordLine({ base, events: lines }), { mode: 0o600 });
}

/** In order of time. */
export function* readWaiting(repository: Repository, files: Files): Generator<WaitingFile> {
  const folder = waitingFolder(repository);
  for (const { name } of files.listIfExists(folder) ?? []) {
    if (!name.endsWith(".json") || temporaryName.test(name)) continue;
    const path = join(folder, name);
    const bytes = files.readIfExists(path);
    if (bytes !== undefined) yield { path, recording: parseRecording(bytes) };
  }
}

export function hasWaiting(repository: Repository, files: Files): boolean {
  return !readWaiting(repository, files).next().done;
}

function waitingFolder(repository: Repository): string {
  return join(journalFolder(repository), "waiting");
}

function parseRecording(bytes: Buffer): WaitingRecording | undefined {
  // the sum has been checked: the record is as writeWaiting wrote it
  const record = parseRecordLine(bytes) as unknown as
    | {
        readonly base: BaseCommit;
        readonly events: readonly (Omit<WaitingEvent, "content"> & { content?: string })[];
      }
    | undefined;
  if (record === undefined) return undefined;
  const events = record.events.map(({ content, ...rest }) =>
    content === undefined ? rest : { ...rest, content: Buffer.from(content, "base64") },
  );
  return { base: record.base, events };
}
