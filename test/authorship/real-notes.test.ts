import { expect, test } from "vitest";
import { ownersByPath } from "../../src/authorship/note/log.ts";
import { encodeAuthorshipLog, parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { readRealNotes, sampleNotesPath, sharedDataPath } from "../support/shared-data.ts";

test.for([
  { count: 144, path: sampleNotesPath, canonical: 40 },
  { count: 816, path: sharedDataPath("git-ai-notes-sample.jsonl.gz"), canonical: 200 },
])(
  "$count real notes of all versions are read and written back with the same lines and the same JSON",
  ({ count, path, canonical }, { skip }) => {
    if (path === undefined) return skip("the directory with all real notes is not beside the project");
    const notes = readRealNotes(path);
    expect(notes).toHaveLength(count);
    let sorted = 0;
    for (const { commit, note } of notes) {
      const { log, problems, rewritable } = parseAuthorshipLog(Buffer.from(note));
      expect(problems, commit).toEqual([]);
      expect(rewritable, commit).toBe(true);
      const text = encodeAuthorshipLog(log);
      const again = parseAuthorshipLog(Buffer.from(text));
      const owned = (map: ReturnType<typeof ownersByPath>) =>
        [...map].filter(([, file]) => file.runs.length > 0).sort(([a], [b]) => (a < b ? -1 : 1));
      expect(owned(ownersByPath(again.log)), commit).toEqual(owned(ownersByPath(log)));
      expect(withoutEmptyMaps(again.log.metadata), commit).toEqual(withoutEmptyMaps(log.metadata));
      if (text === note.trimEnd()) sorted += 1;
    }
    // those that were already canonical come back byte for byte
    expect(sorted).toBeGreaterThan(canonical);
  },
);

function withoutEmptyMaps(metadata: object): object {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => JSON.stringify(value) !== "{}"));
}
