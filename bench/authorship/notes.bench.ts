import { ownersByPath } from "../../src/authorship/note/log.ts";
import { encodeAuthorshipLog, parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { sha256Hex } from "../../src/base/digest.ts";
import { readRealNotes, sampleNotesPath, sharedDataPath } from "../../test/support/shared-data.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { median } from "../support/pairs.ts";

/** Parsing real notes with all owners resolved, against `JSON.parse` of their metadata alone. */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const path = sharedDataPath("git-ai-notes-sample.jsonl.gz") ?? sampleNotesPath;
  const notes = readRealNotes(path)
    .slice(0, tiny ? 20 : undefined)
    .map(({ note }) => Buffer.from(note));
  const metadata = notes.map((note) => note.subarray(note.indexOf("---\n") + 4));
  const times: { ours: number[]; floor: number[] } = { ours: [], floor: [] };
  let logs = notes.map((note) => parseAuthorshipLog(note).log);
  for (let count = 0; count < (tiny ? 1 : 15); count += 1) {
    let start = performance.now();
    logs = notes.map((note) => parseAuthorshipLog(note).log);
    for (const log of logs) ownersByPath(log);
    times.ours.push(performance.now() - start);
    start = performance.now();
    for (const bytes of metadata) JSON.parse(bytes.toString("utf8"));
    times.floor.push(performance.now() - start);
  }
  const [value, floor] = [median(times.ours), median(times.floor)];
  return [
    {
      name: `parse ${notes.length} real notes and resolve their owners`,
      value,
      unit: "ms",
      floor,
      ratio: value / floor,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      resultHash: sha256Hex(logs.map(encodeAuthorshipLog).join("\n")),
    },
  ];
}
