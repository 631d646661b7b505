import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import { commitFolder } from "./commit-directory.ts";

/** A session whose hooks were missing: which paths its own transcript says it edited, and that are not committed yet. */
export interface AttachedSession {
  readonly agent: AgentId;
  readonly files: readonly RepoPath[];
}

export function readAttached(repository: Repository, files: Files): AttachedSession[] {
  const bytes = files.readIfExists(attachedPath(repository));
  const sessions = bytes === undefined ? undefined : parseRecordLine(bytes)?.["sessions"];
  return Array.isArray(sessions) ? (sessions as AttachedSession[]) : [];
}

/** Sets what one session waits for; nothing removes it. */
export function setAttached(repository: Repository, files: Files, session: AttachedSession): void {
  const others = readAttached(repository, files).filter(
    ({ agent }) => agent.id !== session.agent.id || agent.tool !== session.agent.tool,
  );
  const sessions = session.files.length === 0 ? others : [...others, session];
  if (sessions.length === 0) {
    files.remove(attachedPath(repository));
    return;
  }
  files.makeFolder(commitFolder(repository));
  files.replaceWithoutSync(attachedPath(repository), encodeRecordLine({ sessions }), { mode: 0o600 });
}

function attachedPath(repository: Repository): string {
  return join(commitFolder(repository), "attached.json");
}
