import { resolve } from "node:path";
import { findConversationFile } from "../../agents/conversations/find-conversation.ts";
import { KeyframeError } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import { captureTranscript } from "../../checkpoints/capture/transcript.ts";
import { setAttached } from "../../checkpoints/commit/attached-sessions.ts";
import { isSessionId, readSessionState, updateSessionState } from "../../checkpoints/sessions/directory.ts";
import { applyActions, newSessionState } from "../../checkpoints/sessions/events.ts";
import { listOfState, textOfState } from "../../checkpoints/sessions/state.ts";
import type { RepoPath } from "../../git/ids.ts";
import { listDirtyPaths } from "../../git/remote/sync.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import { displayNameOf, toolNameOf } from "../../transcripts/agent-names.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import type { AttachFlags } from "./session-command.ts";

/** `keyframe session attach`: from here on the session is one like those whose hooks were seen. */
export async function attachSession(this: CliContext, flags: AttachFlags, id: string): Promise<void> {
  if (!isSessionId(id))
    throw new KeyframeError("usage", `not a session id: ${JSON.stringify(id.slice(0, 80))}`);
  const repository = mustFindRepository(this.cwd, this);
  const known = readSessionState(this, repository, id);
  const tool = toolNameOf(flags.agent ?? (known && textOfState(known, "agent_type")) ?? "claude");
  const named =
    flags.transcript === undefined
      ? ((known && textOfState(known, "transcript_path")) ?? findTranscript(this, { tool, id, repository }))
      : resolve(this.cwd, flags.transcript);
  // whoever names a file may name it by a symlink; from here on it is the file itself
  const transcriptPath = named && (this.files.realPathIfExists(named) ?? named);
  if (transcriptPath === undefined) {
    throw new KeyframeError("not-found", `no conversation ${id} of ${displayNameOf(tool)} was found`, {
      hint: "name the file with --transcript, or run the command in the directory that the agent worked in",
    });
  }
  const deps = { ...this, ...readCaptureSettings(repository, this) };
  const agent = { tool, id, model: "unknown" };
  const record = await captureTranscript(deps, repository, { agent, transcriptPath });
  if (record === undefined) {
    throw new KeyframeError("not-found", `there is no transcript at ${transcriptPath}`, {
      hint: "name it with --transcript, or run the command in the directory that the agent worked in",
    });
  }
  const touched = new Set([
    ...record.facts.editedPaths.map((path) => insideOf(repository, path)),
    ...(known === undefined ? [] : listOfState(known, "files_touched")),
  ]);
  // what is committed already cannot be linked any more
  const pending = listDirtyPaths(repository, this).filter((path) => touched.has(path));
  updateSessionState(this, { repository, id }, (stored) => {
    const state = stored ?? newSessionState({ agent }, repository, this);
    applyActions(state, ["touch"], this.clock.nowMs());
    state.set("agent_type", displayNameOf(tool));
    state.set("transcript_path", transcriptPath);
    state.set("files_touched", pending);
    state.set("attached_manually", true);
    return state;
  });
  setAttached(repository, this.files, { agent: record.agent, files: pending satisfies readonly RepoPath[] });
  if (flags.json)
    return this.terminal.json({ id, agent: tool, transcriptPath, lines: record.facts.lines, pending });
  this.terminal.out(`Adopted ${printable(id)}: ${record.facts.lines} lines of transcript.`);
  for (const path of pending) this.terminal.out(`  to commit  ${printable(path)}`);
}

function findTranscript(
  { files, env }: CliContext,
  { tool, id, repository }: { readonly tool: string; readonly id: string; readonly repository: Repository },
): string | undefined {
  const folder = repository.workTree ?? "";
  const facts = {
    sessionId: id,
    folder: files.realPathIfExists(folder) ?? folder,
    home: env["HOME"] || "/",
    env,
  };
  return findConversationFile(tool, facts, files);
}

function insideOf({ workTree }: Repository, path: string): string {
  return workTree !== undefined && path.startsWith(`${workTree}/`) ? path.slice(workTree.length + 1) : path;
}
