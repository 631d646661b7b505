import { readLines } from "../../base/text/lines.ts";
import type { Files } from "../../system/files/files.ts";
import type { JournalEvent } from "../journal-event.ts";
import { maxEventLineBytes } from "../limits.ts";
import { encodeRecordLine, parseRecordLine } from "../record-line.ts";

const lf = 0x0a;

/**
 * Appends one event as one write. If the log's last line is torn, the new one starts on a line of its own, so that the
 * torn one alone is lost. @throws KeyframeError `disk-full`, `permission-denied`, `io-failed`
 */
export function appendEvent(files: Files, path: string, event: JournalEvent): void {
  const line = encodeRecordLine(event);
  const size = files.statIfExists(path)?.sizeBytes ?? 0;
  const torn = size > 0 && files.readTail(path, 1)[0] !== lf;
  files.append(path, torn ? Buffer.concat([Buffer.of(lf), line]) : line, { mode: 0o600 });
}

/** A line that is not a whole event. A torn one is the last, without its newline: its writer was killed. */
export interface DamagedLine {
  readonly damaged: "torn" | "unreadable" | "too-long";
  readonly offsetBytes: number;
}

/** Streams a log from the start, whole events and damaged lines, in order. Memory is bounded by one line. */
export function* readEvents(files: Files, path: string): Generator<JournalEvent | DamagedLine> {
  if (files.statIfExists(path) === undefined) return;
  for (const line of readLines(files.readChunks(path), maxEventLineBytes)) {
    const { offsetBytes } = line;
    if ("oversized" in line) {
      yield { damaged: "too-long", offsetBytes };
      continue;
    }
    const event = parseRecordLine(line.bytes);
    if (event !== undefined) yield event as unknown as JournalEvent;
    else if (line.bytes.length > 0) yield { damaged: line.terminated ? "unreadable" : "torn", offsetBytes };
  }
}

/** The whole events among the last `maxBytes` of a log, oldest first. */
export function readLastEvents(files: Files, path: string, maxBytes: number): JournalEvent[] {
  if (files.statIfExists(path) === undefined) return [];
  const events: JournalEvent[] = [];
  for (const line of readLines([files.readTail(path, maxBytes)], maxEventLineBytes)) {
    const event = "oversized" in line ? undefined : parseRecordLine(line.bytes);
    if (event !== undefined) events.push(event as unknown as JournalEvent);
  }
  return events;
}
