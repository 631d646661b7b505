import { errorText } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";

/** One request. Neither bodies nor query strings nor headers: they hold secrets. */
export interface AuditEntry {
  readonly id: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  /** "token", "sandbox token", "signature", "none". */
  readonly principal: string;
  readonly remote: string;
  /** The error's code, for a request that failed. */
  readonly error?: string;
}

export interface AuditLog {
  write(entry: AuditEntry): void;
}

/** Bytes of one file; when it is full it gets a number, and the oldest goes. */
const maxFileBytes = 16 * 1024 * 1024;
const keptFiles = 4;
const maxPathChars = 512;

/**
 * Appends one JSON line for each request. Any number of processes may write: each line is one append. A log that
 * cannot be written is said once and stops no request.
 */
export function openAuditLog(
  path: string,
  system: { readonly files: Files; readonly clock: Clock; readonly warn: (text: string) => void },
  limitBytes = maxFileBytes,
): AuditLog {
  const { files, clock, warn } = system;
  let failed = false;
  return {
    write(entry) {
      const line = JSON.stringify({
        at: new Date(clock.nowMs()).toISOString(),
        ...entry,
        path: entry.path.slice(0, maxPathChars),
      });
      try {
        if ((files.statIfExists(path)?.sizeBytes ?? 0) >= limitBytes) rotate();
        files.append(path, Buffer.from(`${line}\n`), { mode: 0o600 });
        failed = false;
      } catch (error) {
        if (!failed) warn(`the audit log cannot be written: ${errorText(error)}`);
        failed = true;
      }
    },
  };

  function rotate(): void {
    // another process may do the same: then a file is missing here and there, and no line that is in a kept one
    for (let number = keptFiles - 1; number >= 1; number -= 1) {
      if (files.statIfExists(`${path}.${number}`) !== undefined)
        files.rename(`${path}.${number}`, `${path}.${number + 1}`);
    }
    files.rename(path, `${path}.1`);
  }
}
