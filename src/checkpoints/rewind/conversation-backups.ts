import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { Files } from "../../system/files/files.ts";
import type { ConversationPlan } from "./conversation-rewind.ts";
import { type RewindRecord, rewindFolder } from "./rewind-record.ts";

/** Copies of the conversations that a plan changes. */
export function backUpConversations(
  git: Git,
  files: Files,
  { conversation, safety }: { readonly conversation: ConversationPlan; readonly safety: Oid },
): RewindRecord["backups"] {
  return conversation.steps
    .filter(({ unchanged }) => !unchanged)
    .map(({ path }, place) => ({
      path,
      backup: backUpFile(git, files, { path, name: `${safety}-${place}` }),
    }));
}

/** A copy beside the record; null where there is no file. It stays on this machine, like what it is a copy of. */
export function backUpFile(
  git: Git,
  files: Files,
  { path, name }: { readonly path: string; readonly name: string },
): string | null {
  if (files.statTargetIfExists(path)?.kind !== "file") return null;
  const folder = rewindFolder(git.repository);
  files.makeFolder(folder);
  const backup = join(folder, `${name}.jsonl`);
  files.remove(backup);
  copyFile(files, path, backup);
  return backup;
}

/** Makes a conversation what its copy is; where there was none, there is none again. */
export function putBack(
  files: Files,
  { path, backup }: { readonly path: string; readonly backup: string | null },
): void {
  if (backup === null) {
    files.remove(path);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  files.remove(temporary);
  copyFile(files, backup, temporary);
  files.rename(temporary, path);
}

function copyFile(files: Files, from: string, to: string): void {
  let offsetBytes = 0;
  files.writeAt(to, Buffer.alloc(0), { offsetBytes, mode: 0o600 });
  for (const chunk of files.readChunks(from)) {
    files.writeAt(to, chunk, { offsetBytes, mode: 0o600 });
    offsetBytes += chunk.length;
  }
}
