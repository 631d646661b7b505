import { sessionKey } from "../../authorship/note/keys.ts";
import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { readHeadFromFiles } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { recordProblem } from "../../state/problems.ts";
import { subtractTokens } from "../../transcripts/scan/transcript-facts.ts";
import { keepMomentOwners } from "../capture/moment-owners.ts";
import { type CaptureRecord, readCapture } from "../capture/record.ts";
import { recordedPrompts } from "../capture/recorded-prompts.ts";
import { captureTranscript } from "../capture/transcript.ts";
import { listTurnSnapshots, takeTurnSnapshot } from "../capture/turn-snapshots.ts";
import type { CommitDeps } from "../commit/prepare-commit.ts";
import { encodeTokens } from "../record/token-fields.ts";
import { readSessionState, updateSessionState } from "../sessions/directory.ts";
import { type SessionAdvance, type SessionEvent, timestamp } from "../sessions/events.ts";
import { pendingWork } from "../sessions/pending-work.ts";
import { countOfState, textOfState } from "../sessions/state.ts";
import { storeTurn } from "./store-turn.ts";

const maxFirstPromptLength = 100;

/**
 * The heavy part of a session's event: the transcript's new tail is stored, checkpoints of the turn get all of it, the
 * work tree is remembered, and the session's state says what waits for a commit. Each step is done though another
 * fails; what failed is left for `status` and `doctor`.
 */
export async function onTurnEvent(
  git: Git,
  deps: CommitDeps,
  {
    event,
    wants,
  }: { readonly event: SessionEvent; readonly wants: Exclude<SessionAdvance["wants"], undefined> },
): Promise<void> {
  const { repository } = git;
  const step = async <T>(name: string, work: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await deps.trace.span(name, work);
    } catch (error) {
      const problem = {
        at: deps.clock.nowMs(),
        where: `${event.agent.tool} ${name}`,
        what: errorText(error),
      };
      recordProblem(repository, deps.files, problem);
      return undefined;
    }
  };
  const record = await step("transcript", () => captureOf(git, deps, event));
  if (record !== undefined) {
    const isOver = wants === "turn-start";
    await step("finalize", () => storeTurn(git, deps, { record, isOver }));
  }
  await step("snapshot", () => snapshotTurn(git, deps, { event, record, wants }));
  if (wants !== "turn-start") await step("state", () => describeTurn(git, deps, { event, record }));
}

async function captureOf(
  { repository }: Git,
  deps: CommitDeps,
  { agent, transcriptPath }: SessionEvent,
): Promise<CaptureRecord | undefined> {
  const known = readCapture(repository, deps.files, agent);
  const path = transcriptPath ?? known?.transcriptPath;
  if (path === undefined) return known;
  return (await captureTranscript(deps, repository, { agent, transcriptPath: path })) ?? known;
}

interface Turn {
  readonly event: SessionEvent;
  readonly record: CaptureRecord | undefined;
  readonly wants: Exclude<SessionAdvance["wants"], undefined>;
}

async function snapshotTurn(git: Git, deps: CommitDeps, { event, record, wants }: Turn): Promise<void> {
  const { agent } = event;
  const { repository } = git;
  if (repository.workTree === undefined || wants === "session-end") return;
  const last = (await listTurnSnapshots(git, agent))[0];
  // before the first turn there is nothing to remember but where it began
  if (wants === "turn-start" && last !== undefined) return;
  const state = readSessionState(deps, repository, agent.id);
  const owners = keepMomentOwners(repository, deps.files);
  const branch = readHeadFromFiles(repository, deps.files)?.ref;
  const prompt = record?.facts.prompts.at(-1)?.text ?? recordedPrompts(repository, deps, agent).at(-1) ?? "";
  const snapshot = await takeTurnSnapshot(git, deps, {
    tool: agent.tool,
    session: agent.id,
    turn: wants === "turn-start" ? 0 : Math.max(1, (last?.turn ?? 0) + 1),
    turnId: (state && textOfState(state, "turn_id")) ?? "",
    at: timestamp(deps.clock.nowMs()),
    base: readBaseCommit(repository, deps.files, deps.processes),
    prompt: wants === "turn-start" ? "" : firstWords(prompt, 200),
    ...(branch === undefined ? {} : { branch: deps.redactor.redactText(branch) }),
    ...(owners === "" ? {} : { owners }),
    ...(record === undefined
      ? {}
      : { transcript: { rawBytes: record.rawBytes, mark: record.rawMark, lines: record.facts.lines } }),
  });
  if (wants === "turn-end" && snapshot.tree !== last?.tree) {
    updateSessionState(deps, { repository, id: agent.id }, (current) =>
      current?.set("checkpoint_count", countOfState(current, "checkpoint_count") + 1),
    );
  }
}

function describeTurn({ repository }: Git, deps: CommitDeps, { event, record }: Omit<Turn, "wants">): void {
  const { agent } = event;
  const files = pendingWork(repository, deps.files, [agent]).get(sessionKey(agent)) ?? [];
  const prompts = record?.facts.prompts.map(({ text }) => text) ?? recordedPrompts(repository, deps, agent);
  updateSessionState(deps, { repository, id: agent.id }, (state) => {
    if (state === undefined) return undefined;
    state.set("files_touched", files);
    const [first] = prompts;
    const last = prompts.at(-1);
    if (first !== undefined && textOfState(state, "first_prompt") === undefined)
      state.set("first_prompt", firstWords(first, maxFirstPromptLength));
    if (last !== undefined) state.set("last_prompt", firstWords(last, maxFirstPromptLength));
    if (record !== undefined && record.facts.tokens.calls > 0)
      state.set("token_usage", encodeTokens(subtractTokens(record.facts.tokens, record.tokensAtStart)));
    if (record?.facts.model !== undefined) state.set("model_name", record.facts.model);
    return state;
  });
}

/** Whole characters, on one line. */
function firstWords(text: string, length: number): string {
  return Array.from(text.replace(/\s+/g, " ").trim()).slice(0, length).join("");
}
