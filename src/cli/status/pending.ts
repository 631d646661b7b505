import type { Repository } from "../../git/repository.ts";
import { readPathHeads } from "../../journal/heads/head-files.ts";
import { listEpochs } from "../../journal/layout.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";

/** Lines of one file that wait for a commit, by owner. */
export interface PendingPathRow {
  readonly path: string;
  readonly owners: readonly PendingShare[];
}

export interface PendingShare {
  readonly kind: "agent" | "human";
  /** `claude`, or `Name <email>`. */
  readonly name: string;
  /** The agent's conversation. */
  readonly session?: string;
  readonly model?: string;
  readonly lines: number;
}

/** What the journal of a worktree holds for the next commits, by path. */
export function readPendingFiles(repository: Repository, files: Files): PendingPathRow[] {
  const heads = new Map<string, PathHead>();
  for (const epoch of listEpochs(repository, files)) {
    for (const head of readPathHeads(files, epoch)) heads.set(head.path, head);
  }
  return [...heads.values()]
    .map((head) => ({ path: head.path, owners: ownersOf(head) }))
    .filter(({ owners }) => owners.length > 0)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function ownersOf(head: PathHead): PendingShare[] {
  const lines = new Map<string, number>();
  for (const [count, owner] of head.current.runs) {
    if (owner === null) continue;
    const key = sessionOfOwner(owner);
    lines.set(key, (lines.get(key) ?? 0) + count);
  }
  return [...lines].map(([key, count]) => describeOwner(head, key, count));
}

function describeOwner(head: PathHead, key: string, lines: number): PendingShare {
  const agent = head.agents[key];
  if (agent === undefined) return { kind: "human", name: head.humans[key] ?? key, lines };
  return { kind: "agent", name: agent.tool, session: agent.id, model: agent.model, lines };
}
