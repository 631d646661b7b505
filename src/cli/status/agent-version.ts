import { versionInTranscript } from "../../agents/conversations/recent-conversation.ts";
import { placeTranscript } from "../../agents/conversations/transcript-folders.ts";
import { lastHeardMs, listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { textOfState } from "../../checkpoints/sessions/state.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { ifReachable } from "../../system/files/if-reachable.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";

/** The version of an agent that its last conversation in the repository names; undefined where none does. */
export function findAgentVersion(tool: string, repository: Repository, files: Files): string | undefined {
  const sessions = listSessionStates({ files }, repository).flatMap(({ id, state }) => {
    if (state === undefined || toolNameOf(textOfState(state, "agent_type") ?? "") !== tool) return [];
    const path = textOfState(state, "transcript_path");
    return path === undefined ? [] : [{ path, at: lastHeardMs({ files }, repository, { id, state }) }];
  });
  const last = sessions.sort((left, right) => right.at - left.at)[0];
  const place = last === undefined ? undefined : placeTranscript(tool, last.path, { files });
  if (place === undefined || !("path" in place)) return undefined;
  return ifReachable(() =>
    files.statIfExists(place.path)?.kind === "file" ? versionInTranscript(place.path, files) : undefined,
  );
}
