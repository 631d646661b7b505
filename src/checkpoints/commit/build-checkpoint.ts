import { sessionKey } from "../../authorship/note/keys.ts";
import type { JsonMap, JsonValue } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { type ObjectFormat, objectFormatOf } from "../../git/objects/bulk-writer.ts";
import { displayNameOf } from "../../transcripts/agent-names.ts";
import { addTranscriptTokens, noTranscriptTokens } from "../../transcripts/scan/transcript-facts.ts";
import { type CaptureRecord, readCapture, redactedPath } from "../capture/record.ts";
import { readSubagentFiles, type SubagentFiles } from "../capture/subagent-files.ts";
import type { CaptureDeps } from "../capture/transcript.ts";
import { chunksOf, type StoredChunk } from "../capture/transcript-chunks.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import { maxFilesTouched } from "../record/limits.ts";
import { mergeSessionMetadata } from "../record/merge-session.ts";
import { agentSummaryField } from "../record/metadata.ts";
import { encodeTokens } from "../record/token-fields.ts";
import { strategyName, timestamp, writerVersion } from "../sessions/events.ts";
import type { BlobSource, CheckpointWrite, SessionWrite } from "../stores/store.ts";
import { addCompact, type TranscriptCopy } from "./add-compact.ts";
import { type CommitAttribution, encodeAttribution, readCommitAttribution } from "./commit-attribution.ts";
import type { PreparedCheckpoint, PreparedSession } from "./commit-directory.ts";

/** A checkpoint ready to be stored, and what is then known of the chunks of its transcripts. */
export interface BuiltCheckpoint {
  readonly write: CheckpointWrite;
  readonly chunks: ReadonlyMap<PreparedSession, readonly StoredChunk[]>;
}

export const promptSeparator = "\n\n---\n\n";

/**
 * Makes the record of a commit from what was prepared for it. Lines are attributed by the commit's note, so the commit
 * has been settled before. Every time in it is that of the preparation: made twice, it is the same. `stored`: sessions that the checkpoint holds already, where a commit is amended.
 */
export async function buildCheckpoint(
  git: Git,
  deps: CaptureDeps,
  request: {
    readonly prepared: PreparedCheckpoint;
    readonly commit: Oid;
    readonly stored: ReadonlyMap<string, JsonMap>;
    /** Of the store that it is for. */
    readonly kind: StoreKind;
  },
): Promise<BuiltCheckpoint> {
  const { prepared, stored, kind } = request;
  const attribution = await readCommitAttribution(git, request.commit);
  const format = objectFormatOf(request.commit);
  const chunks = new Map<PreparedSession, readonly StoredChunk[]>();
  const tasks = new Map<string, BlobSource>();
  const sessions: SessionWrite[] = [];
  for (const session of prepared.sessions) {
    const record = readCapture(git.repository, deps.files, session.agent);
    const cut = await chunksOfSession(git, deps, { session, record, format });
    chunks.set(session, cut);
    const subagents = subagentsOf(git, deps, { session, record });
    for (const [path, source] of subagents.tasks) tasks.set(path, source);
    const fresh = sessionMetadata({ prepared, session, subagents, attribution });
    const metadata = mergeSessionMetadata(stored.get(session.agent.id), fresh);
    const prompts = promptsOf(session, record, metadata);
    const write: SessionWrite = {
      metadata,
      transcript: cut.map(({ source }) => source),
      ...(session.transcript === undefined || cut.length === 0
        ? {}
        : { contentHash: { bytes: Buffer.from(`sha256:${session.transcript.sha256}`) } }),
      ...(prompts.length === 0 ? {} : { prompt: { bytes: Buffer.from(prompts.join(promptSeparator)) } }),
    };
    sessions.push(await addCompact(deps, write, { kind, copy: copyOf(git, session) }));
  }
  const root: JsonMap = new Map<string, JsonValue>([
    ["cli_version", writerVersion],
    ["strategy", strategyName],
  ]);
  if (prepared.branch !== "") root.set("branch", prepared.branch);
  if (prepared.commit !== undefined && !prepared.updates) root.set("commit_sha", prepared.commit);
  const keys = [...attribution.agentLines.keys()];
  root.set("combined_attribution", encodeAttribution(attribution, keys, prepared.at));
  return { write: { id: prepared.id, root, sessions, tasks }, chunks };
}

/** Where a commit's earlier work is in the checkpoint already, the prompts that led to it are as well. */
function promptsOf(
  { transcript, prompts }: PreparedSession,
  record: CaptureRecord | undefined,
  metadata: JsonMap,
): readonly string[] {
  const start = metadata.get("checkpoint_transcript_start");
  const from = typeof start === "number" ? start : 0;
  if (
    transcript === undefined ||
    record?.generation !== transcript.generation ||
    from >= transcript.startLine
  )
    return prompts;
  const earlier = record.facts.prompts.filter(({ line }) => line >= from && line < transcript.startLine);
  // where nothing was asked since, the prompt before is repeated
  const isRepeated = prompts.length === 1 && prompts[0] === earlier.at(-1)?.text;
  return [...earlier.map(({ text }) => text), ...(isRepeated ? [] : prompts)];
}

async function chunksOfSession(
  git: Git,
  { files }: CaptureDeps,
  {
    session,
    record,
    format,
  }: {
    readonly session: PreparedSession;
    readonly record: CaptureRecord | undefined;
    readonly format: ObjectFormat;
  },
): Promise<readonly StoredChunk[]> {
  const { transcript } = session;
  const copy = copyOf(git, session);
  if (transcript === undefined || copy === undefined) return [];
  // the copy may have been cleaned away since; the record then says that there is no transcript
  if ((files.statIfExists(copy.path)?.sizeBytes ?? -1) < copy.bytes) return [];
  const isSame = record?.generation === transcript.generation;
  return chunksOf(git, files, {
    ...copy,
    document: isSame && record.document,
    known: isSame ? record.chunks : [],
    format,
  });
}

function copyOf({ repository }: Git, { agent, transcript }: PreparedSession): TranscriptCopy | undefined {
  if (transcript === undefined) return undefined;
  const { generation, bytes } = transcript;
  return { path: redactedPath(repository, { agent, generation }), bytes };
}

function subagentsOf(
  git: Git,
  deps: CaptureDeps,
  { session, record }: { readonly session: PreparedSession; readonly record: CaptureRecord | undefined },
): SubagentFiles {
  if (record === undefined || session.transcript === undefined)
    return { tasks: new Map(), tokens: noTranscriptTokens };
  const range = { startLine: session.transcript.startLine, endLine: session.transcript.lines };
  return readSubagentFiles(git.repository, deps, { record, range });
}

function sessionMetadata({
  prepared,
  session,
  subagents,
  attribution,
}: {
  readonly prepared: PreparedCheckpoint;
  readonly session: PreparedSession;
  readonly subagents: SubagentFiles;
  readonly attribution: CommitAttribution;
}): JsonMap {
  const { agent, transcript, tokens, turnId } = session;
  const metadata: JsonMap = new Map<string, JsonValue>([
    ["cli_version", writerVersion],
    ["checkpoint_id", prepared.id],
    ["session_id", agent.id],
    ["strategy", strategyName],
    ["created_at", timestamp(prepared.at)],
  ]);
  if (prepared.branch !== "") metadata.set("branch", prepared.branch);
  metadata.set("checkpoints_count", session.steps);
  metadata.set("files_touched", session.files.slice(0, maxFilesTouched));
  metadata.set("agent", displayNameOf(agent.tool));
  metadata.set("model", agent.model === "unknown" ? "" : agent.model);
  if (turnId !== "") metadata.set("turn_id", turnId);
  if (transcript !== undefined && transcript.startLine > 0)
    metadata.set("checkpoint_transcript_start", transcript.startLine);
  if (tokens !== undefined && addTranscriptTokens(tokens, subagents.tokens).calls > 0) {
    metadata.set("token_usage", encodeTokens(tokens, subagents.tokens));
    // tokens of this checkpoint alone, not of the session so far
    metadata.set("token_usage_version", 2);
  }
  if (session.summary !== undefined) metadata.set(agentSummaryField, session.summary);
  metadata.set("initial_attribution", encodeAttribution(attribution, [sessionKey(agent)], prepared.at));
  return metadata;
}
