import type { AgentId } from "../../agents/agent-event.ts";
import { sessionKey } from "../../authorship/note/keys.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { readPathHeads } from "../../journal/heads/head-files.ts";
import { listEpochs } from "../../journal/layout.ts";
import { ownersIn, sessionOfOwner } from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";
import { maxFilesTouched } from "../record/limits.ts";

/** The paths that hold work of some sessions that is not committed yet, sorted, by session key. */
export function pendingWork(
  repository: Repository,
  files: Files,
  agents: readonly Pick<AgentId, "tool" | "id">[],
): Map<string, RepoPath[]> {
  const heads = new Map<RepoPath, PathHead>();
  for (const epoch of listEpochs(repository, files)) {
    for (const head of readPathHeads(files, epoch)) heads.set(head.path, head);
  }
  const work = new Map<string, RepoPath[]>(agents.map((agent) => [sessionKey(agent), []]));
  for (const head of heads.values()) {
    for (const session of sessionsAtWork(head)) work.get(session)?.push(head.path);
  }
  return new Map([...work].map(([session, paths]) => [session, paths.sort().slice(0, maxFilesTouched)]));
}

/** Sessions that own a line of a path's newest state, or made it what it is. */
function sessionsAtWork({ current, produced }: PathHead): Set<string> {
  const sessions = new Set([...ownersIn(current.runs)].map(sessionOfOwner));
  for (const [session, digest] of Object.entries(produced ?? {})) {
    if (digest === current.digest) sessions.add(session);
  }
  return sessions;
}
