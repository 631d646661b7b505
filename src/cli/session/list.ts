import { readCapture } from "../../checkpoints/capture/record.ts";
import { recordedPrompts } from "../../checkpoints/capture/recorded-prompts.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import { listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { listOfState, phaseOf, type SessionState, textOfState } from "../../checkpoints/sessions/state.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import type { CliContext } from "../command/context.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { mustFindSession } from "./find.ts";
import type { SessionFlags } from "./session-command.ts";

/** `keyframe session list` */
export function listSessions(this: CliContext, { json }: SessionFlags): void {
  const repository = mustFindRepository(this.cwd, this);
  const all = listSessionStates(this, repository);
  const sessions = all
    .flatMap(({ id, state }) => (state === undefined ? [] : [describe(id, state)]))
    .map((session) =>
      session.prompt === "" ? { ...session, prompt: runningPrompt(this, repository, session) } : session,
    )
    .sort((a, b) => (a.lastInteractionAt < b.lastInteractionAt ? 1 : -1));
  const damaged = all.flatMap(({ id, problem }) => (problem === undefined ? [] : [{ id, problem }]));
  if (json) {
    this.terminal.json({ sessions, damaged });
    return;
  }
  const rows = sessions.map((session) => [
    this.terminal.style("yellow", printable(session.id)),
    session.phase,
    localTime(session.lastInteractionAt),
    printable(session.agent),
    session.pendingFiles.length === 0 ? "" : `${session.pendingFiles.length} to commit`,
    firstLine(session.prompt, 50),
  ]);
  if (rows.length === 0) this.terminal.note("no sessions yet");
  else this.terminal.out(formatTable(rows));
  for (const { id, problem } of damaged) this.terminal.note(`${printable(id)}: ${printable(problem)}`);
}

/** The prompt of a first turn that is under way: no transcript was taken over yet, so what hooks saw is all there is. */
function runningPrompt(
  context: CliContext,
  repository: Repository,
  { id, agent }: { readonly id: string; readonly agent: string },
): string {
  const { redactor } = readCaptureSettings(repository, context);
  const tool = toolNameOf(agent);
  return recordedPrompts(repository, { files: context.files, redactor }, { tool, id }).at(-1) ?? "";
}

/** `keyframe session show` */
export function showSession(this: CliContext, { json }: SessionFlags, text: string): void {
  const { repository, id, state } = mustFindSession(this, text);
  const session = { ...describe(id, state), ...describeTranscript(this, repository, { id, state }) };
  if (json) {
    this.terminal.json(session);
    return;
  }
  const rows = Object.entries(session)
    .filter(([, value]) => value !== "" && !Array.isArray(value))
    .map(([name, value]) => [this.terminal.style("dim", name), printable(String(value))]);
  this.terminal.out(formatTable(rows));
  for (const path of session.pendingFiles) this.terminal.out(`  to commit  ${printable(path)}`);
  for (const prompt of session.prompts) this.terminal.out(`  prompt     ${firstLine(prompt, 100)}`);
}

function describe(id: string, state: SessionState) {
  const text = (key: string) => textOfState(state, key) ?? "";
  return {
    id,
    phase: phaseOf(state),
    agent: text("agent_type"),
    model: text("model_name"),
    startedAt: text("started_at"),
    lastInteractionAt: text("last_interaction_time") || text("started_at"),
    endedAt: text("ended_at"),
    worktree: text("worktree_path"),
    baseCommit: text("base_commit"),
    lastCheckpoint: text("last_checkpoint_id"),
    prompt: text("last_prompt") || text("first_prompt"),
    pendingFiles: listOfState(state, "files_touched"),
    unfinishedCheckpoints: listOfState(state, "turn_checkpoint_ids"),
  };
}

function describeTranscript(
  { files }: CliContext,
  repository: Repository,
  { id, state }: { readonly id: string; readonly state: SessionState },
) {
  const record = readCapture(repository, files, {
    tool: toolNameOf(textOfState(state, "agent_type") ?? ""),
    id,
  });
  return {
    transcript: textOfState(state, "transcript_path") ?? "",
    capturedLines: record?.facts.lines ?? 0,
    prompts: record?.facts.prompts.map(({ text }) => text) ?? [],
  };
}
