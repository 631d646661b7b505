import { findConversationPlace, isConversationId } from "../../agents/conversations/conversation-place.ts";
import { isKeyframeError } from "../../base/errors.ts";
import { hasMomentOwners, takeForeignOwners } from "../../checkpoints/capture/moment-owners.ts";
import type { TurnSnapshot } from "../../checkpoints/capture/turn-snapshots.ts";
import type { Repository } from "../../git/repository.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { collectOutput } from "../../sandbox/guest/output.ts";
import type { Files } from "../../system/files/files.ts";
import { type MachineRun, runConversation, runFilesDirectory } from "../../timeline/machines/machine-run.ts";
import { guestHome, guestScript } from "./guest-shell.ts";

const maxTranscriptBytes = 256 * 1024 * 1024;
const maxOwnersBytes = 8 * 1024 * 1024;

/** What turns need beside git: the owners that were pending, and the conversations. Returns what did not come, and why. */
export async function bringFiles(
  repository: Repository,
  { files, guest, run }: { readonly files: Files; readonly guest: GuestChannel; readonly run: MachineRun },
  turns: readonly TurnSnapshot[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const name of new Set(turns.flatMap(({ owners }) => owners ?? []))) {
    if (hasMomentOwners(repository, files, name) || !/^[0-9a-f]{32}$/.test(name)) continue;
    const path = `${run.directory}/.git/keyframe/owners/${name}.json`;
    const bytes = await readGuestFile(guest, path, maxOwnersBytes);
    if (bytes === undefined || !takeForeignOwners(repository, files, { name, bytes }))
      problems.push("owners of uncommitted lines could not be taken from the machine");
  }
  const talking = turns.filter(({ transcript }) => transcript !== undefined);
  const sessions = new Map(talking.map((turn) => [turn.session, turn.tool]));
  for (const [session, tool] of sessions) {
    const path = await findInGuest(guest, run, { session, tool });
    const bytes = path === undefined ? undefined : await readGuestFile(guest, path, maxTranscriptBytes);
    if (bytes === undefined)
      problems.push(`the conversation of session ${session} was not found in the machine`);
    else {
      files.makeFolder(runFilesDirectory(repository, run.name), { mode: 0o700 });
      files.replaceWithoutSync(runConversation(repository, run.name, session), bytes, { mode: 0o600 });
    }
  }
  return problems;
}

async function findInGuest(
  guest: GuestChannel,
  run: MachineRun,
  { session, tool }: { readonly session: string; readonly tool: string },
): Promise<string | undefined> {
  if (!isConversationId(session)) return undefined;
  if (tool === "codex") {
    const find = `find ${guestHome}/.codex/sessions -name '*-${session}.jsonl' 2>/dev/null | head -n 1`;
    return (await guestScript(guest, find, { to: "look for a conversation" })).trim() || undefined;
  }
  const facts = { sessionId: session, folder: run.directory, home: guestHome, env: {}, firstLine: "" };
  return findConversationPlace(tool, facts)?.path;
}

/** Undefined where there is no such file, or a larger one. */
export async function readGuestFile(
  guest: GuestChannel,
  path: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    return await collectOutput(guest.getFile(path), {
      maxBytes,
      what: `read ${path}`,
      tooLarge: `${path} of the machine is larger than ${maxBytes} bytes`,
    });
  } catch (error) {
    if (isKeyframeError(error, "not-found", "too-large", "guest-failed")) return undefined;
    throw error;
  }
}
