import type { Files } from "./files.ts";

export interface RingLimits {
  /** A file that has reached this size is not written to any more. */
  readonly maxFileBytes: number;
  readonly maxFiles: number;
}

/**
 * Adds a line to a directory of files of which the oldest go: at most `maxFiles` files of `maxFileBytes` and a line. No
 * lock: each line is one append, and going on to the next file only picks a larger number, so writers at once lose
 * nothing. The line's newline stands before it: what a killed writer left torn ends there and costs only itself.
 */
export function appendToRing(files: Files, folder: string, line: string, limits: RingLimits): void {
  const numbers = listNumbers(files, folder);
  if (numbers === undefined) files.makeFolder(folder);
  let number = numbers?.at(-1) ?? 1;
  if ((files.statIfExists(ringPath(folder, number))?.sizeBytes ?? 0) >= limits.maxFileBytes) number += 1;
  files.append(ringPath(folder, number), Buffer.from(`\n${line}`), { mode: 0o600 });
  for (const old of numbers ?? []) if (old <= number - limits.maxFiles) files.remove(ringPath(folder, old));
}

/** The lines, oldest first; a torn one is among them as far as it came. */
export function* readRing(files: Files, folder: string, { maxFileBytes }: RingLimits): Generator<string> {
  for (const number of listNumbers(files, folder) ?? []) {
    const path = ringPath(folder, number);
    // a file that other hands made large is not read whole
    const bytes = files.statIfExists(path)?.kind === "file" ? files.readTail(path, 2 * maxFileBytes) : "";
    for (const line of bytes.toString("utf8").split("\n")) if (line !== "") yield line;
  }
}

function listNumbers(files: Files, folder: string): number[] | undefined {
  return files
    .listIfExists(folder)
    ?.flatMap(({ name }) => (/^\d{8}\.jsonl$/.test(name) ? [Number(name.slice(0, 8))] : []));
}

// not join(): it reads long paths letter by letter, and one call too many has V8 optimise it for 4 ms of each hook
function ringPath(folder: string, number: number): string {
  return `${folder}/${String(number).padStart(8, "0")}.jsonl`;
}
