import { resumeCommandOf } from "../../agents/conversations/conversation-place.ts";
import { readMomentOwners } from "../../checkpoints/capture/moment-owners.ts";
import type { Git } from "../../git/git.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";
import type { TestCounts } from "../../transcripts/scan/test-results.ts";
import type { Moment } from "../moment.ts";
import { testsSeenAt } from "./tests-seen.ts";

/** Lines that were pending for one owner. */
export interface PendingOwner {
  /** `claude 3f2a...` or `Name <email>`. */
  readonly label: string;
  readonly lines: number;
  readonly files: number;
}

export interface ChangedFile {
  readonly path: string;
  /** Letter of git: `A`, `M`, `D`, `T`. */
  readonly status: string;
}

export interface MomentDetails {
  readonly changes: readonly ChangedFile[];
  readonly owners: readonly PendingOwner[];
  /** The last result of tests that its conversations had seen; absent where none was seen. */
  readonly tests?: TestCounts;
  /** By session: the command that continues it; absent where that is not known. */
  readonly continueWith: readonly { readonly session: string; readonly command?: string }[];
}

/** What one moment holds, beyond what the list shows. */
export async function describeMoment(git: Git, files: Files, moment: Moment): Promise<MomentDetails> {
  const tests = testsSeenAt(git.repository, files, moment);
  return {
    ...(tests === undefined ? {} : { tests }),
    changes: await listChanges(git, moment),
    owners: countOwners(readMomentOwners(git.repository, files, moment.owners ?? "")),
    continueWith: moment.sessions.map(({ tool, session }) => {
      const command = resumeCommandOf(tool, session);
      return { session, ...(command === undefined ? {} : { command }) };
    }),
  };
}

async function listChanges(git: Git, { commit, parent }: Moment): Promise<ChangedFile[]> {
  const against = parent === undefined ? [] : [parent];
  const args = ["diff-tree", "-r", "-z", "--name-status", "--no-renames", "--root", "--no-commit-id"];
  // what precedes a turn may have been cleaned away: then the snapshot's own parent is all that is known
  const known =
    against.length > 0 &&
    (await git.run(["cat-file", "-e", `${parent}^{commit}`], { okCodes: [0, 1, 128] })).code === 0;
  const { stdout } = await git.run([...args, ...(known ? [`${parent}`, commit] : [commit])]);
  const parts = stdout.toString("utf8").split("\0");
  const changes: ChangedFile[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2)
    changes.push({ status: parts[at] ?? "", path: parts[at + 1] ?? "" });
  return changes;
}

function countOwners(heads: readonly PathHead[]): PendingOwner[] {
  const found = new Map<string, { label: string; lines: number; files: Set<string> }>();
  for (const { path, current, agents, humans } of heads) {
    for (const [lines, owner] of current.runs) {
      if (owner === null) continue;
      const key = sessionOfOwner(owner);
      const agent = agents[key];
      const label = agent === undefined ? (humans[key] ?? key) : `${agent.tool} ${agent.id}`;
      const entry = found.get(key) ?? { label, lines: 0, files: new Set() };
      entry.lines += lines;
      entry.files.add(path);
      found.set(key, entry);
    }
  }
  return [...found.values()]
    .map(({ label, lines, files }) => ({ label, lines, files: files.size }))
    .sort((a, b) => b.lines - a.lines);
}
