import { ownersByPath } from "../../authorship/note/log.ts";
import { parseAuthorshipLog } from "../../authorship/note/log-codec.ts";
import { notesRef } from "../../authorship/note/notes-ref.ts";
import { countLines } from "../../authorship/rules/owner-runs.ts";
import type { JsonMap } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { readNotes } from "../../git/refs/notes.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import { timestamp } from "../sessions/events.ts";

/** Whose lines a commit adds, as observed: from the commit's settled note. */
export interface CommitAttribution {
  readonly addedLines: number;
  readonly removedLines: number;
  readonly humanLines: number;
  /** By session key (`s_...`). */
  readonly agentLines: ReadonlyMap<string, number>;
}

export async function readCommitAttribution(git: Git, commit: Oid): Promise<CommitAttribution> {
  const reader = openObjectReader(git);
  const changed = countChangedLines(git, commit);
  // reported below, where it is awaited
  changed.catch(() => undefined);
  try {
    const note = (await readNotes(reader, notesRef, [commit])).get(commit);
    const agentLines = new Map<string, number>();
    let humanLines = 0;
    if (note !== undefined) {
      for (const { runs } of ownersByPath(parseAuthorshipLog(note).log).values()) {
        for (const run of runs) {
          const session = sessionOfOwner(run.key);
          if (run.key.startsWith("h_")) humanLines += countLines([run]);
          else agentLines.set(session, (agentLines.get(session) ?? 0) + countLines([run]));
        }
      }
    }
    return { ...(await changed), humanLines, agentLines };
  } finally {
    await reader.close();
  }
}

/** Against the first parent; a merge adds nothing of its own. */
async function countChangedLines(
  git: Git,
  commit: Oid,
): Promise<Pick<CommitAttribution, "addedLines" | "removedLines">> {
  const args = ["diff-tree", "-r", "--root", "--no-commit-id", "--numstat", "-z", "-M"];
  const text = await git.text([...args, "--no-textconv", "--no-ext-diff", "--diff-algorithm=myers", commit]);
  let addedLines = 0;
  let removedLines = 0;
  // binary files have "-" for their counts
  for (const match of text.matchAll(/(?:^|\0)(\d+)\t(\d+)\t/g)) {
    addedLines += Number(match[1]);
    removedLines += Number(match[2]);
  }
  return { addedLines, removedLines };
}

/**
 * The format's attribution of some sessions. Lines of nobody that was seen are in the total and in `unknown_added`,
 * never a person's; removed lines have no owner that was seen, so those counts are 0.
 */
export function encodeAttribution(
  { addedLines, humanLines, agentLines }: CommitAttribution,
  sessions: readonly string[],
  nowMs: number,
): JsonMap {
  const own = sessions.reduce((sum, session) => sum + (agentLines.get(session) ?? 0), 0);
  const known = humanLines + [...agentLines.values()].reduce((sum, lines) => sum + lines, 0);
  return new Map<string, number | string>([
    ["calculated_at", timestamp(nowMs)],
    ["agent_lines", own],
    ["human_added", humanLines],
    ["human_modified", 0],
    ["human_removed", 0],
    ["total_committed", addedLines],
    ["agent_percentage", addedLines === 0 ? 0 : Math.round((own / addedLines) * 10_000) / 100],
    ["unknown_added", Math.max(0, addedLines - known)],
  ]);
}
