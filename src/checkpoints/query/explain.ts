import { listSome } from "../../base/text/list-some.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { lineCompactorOf } from "../../transcripts/compact/agents.ts";
import type { CompactLine } from "../../transcripts/compact/compact-line.ts";
import { createCompactor } from "../../transcripts/compact/compactor.ts";
import { transcriptLines } from "../../transcripts/document-lines.ts";
import { titleOf } from "../../transcripts/scan/title.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { SessionMetadata, Summary } from "../record/metadata.ts";
import { addTokens, noTokens, type TokenUsage } from "../record/token-usage.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import {
  type LinkedCommit,
  linksByCheckpoint,
  readCommitsAs,
  readLinkedCommits,
  readRecordAuthors,
} from "./linked-commits.ts";
import {
  type Absence,
  type CheckpointPlaces,
  listCheckpointPlaces,
  type ReadSession,
  readCheckpoints,
  readPrompts,
} from "./read-checkpoints.ts";
import type { TranscriptReader } from "./read-transcript.ts";
import { findPredecessors, predecessorKey, promptsInScope } from "./scope-prompts.ts";

export interface ExplainedSession {
  readonly sessionId: string | undefined;
  readonly agent: string | undefined;
  readonly model: string | undefined;
  readonly createdAt: string | undefined;
  readonly kind: string | undefined;
  readonly tokens: TokenUsage | undefined;
  readonly summary: Summary | undefined;
  /** What the agent itself calls the conversation. */
  readonly agentSummary: string | undefined;
  /** All that the record holds. */
  readonly prompts: readonly string[];
  /** What a person would call it: the first line that says something of the prompts that led to this checkpoint. */
  readonly title: string | undefined;
  readonly transcriptStart: number;
  readonly chunks: number;
  /** What could not be read, in words. */
  readonly unread: readonly string[];
}

export interface Explanation {
  readonly id: CheckpointId;
  readonly stores: readonly StoreKind[];
  readonly createdAt: string | undefined;
  readonly author: string | undefined;
  readonly branch: string | undefined;
  readonly tokens: TokenUsage;
  readonly commits: readonly LinkedCommit[];
  readonly filesTouched: readonly string[];
  readonly sessions: readonly ExplainedSession[];
  readonly unread: readonly string[];
}

/** All that is known about one checkpoint, its transcripts left unread. Sessions from oldest to newest. */
export async function explainCheckpoint(
  git: Git,
  id: CheckpointId,
  places: CheckpointPlaces,
  stores?: CheckpointStores,
): Promise<{ readonly explanation: Explanation; readonly sessions: readonly ReadSession[] }> {
  const [[checkpoint], links, authors] = await Promise.all([
    readCheckpoints(git, [[id, places]]),
    readLinkedCommits(git),
    readRecordAuthors(
      git,
      places.map(({ ref }) => ref),
    ),
  ]);
  const sessions = [...(checkpoint?.sessions ?? [])].sort((a, b) => createdMs(a) - createdMs(b));
  const prompts = await readPrompts(
    git,
    sessions.map(({ files }) => files),
  );
  const before = await readBefore(git, { id, sessions, prompts, stores });
  const root = checkpoint?.root ?? "never recorded";
  const known = typeof root === "string" ? undefined : root;
  const naming = linksByCheckpoint(links).get(id) ?? [];
  const commits = naming.length > 0 ? naming : await readNamedCommit(git, id, known?.commit);
  const explained = sessions.map((session) => {
    const oid = session.files.prompt;
    const own = oid === undefined ? "never recorded" : (prompts.get(oid) ?? "missing here");
    return explainSession(session, own, before.get(session.files.index) ?? []);
  });
  return {
    sessions,
    explanation: {
      id,
      stores: places.map(({ store }) => store),
      createdAt: explained.at(-1)?.createdAt,
      author: authors.get(id) ?? commits[0]?.author,
      branch: known?.branch,
      tokens:
        known?.tokenUsage ??
        explained.reduce((sum, { tokens }) => addTokens(sum, tokens ?? noTokens), noTokens),
      commits,
      filesTouched: known?.filesTouched ?? [],
      sessions: explained,
      unread: typeof root === "string" ? [`metadata of the checkpoint: ${root}`] : [],
    },
  };
}

/** The commit that the record itself names, where it is here. */
async function readNamedCommit(
  git: Git,
  id: CheckpointId,
  commit: string | undefined,
): Promise<LinkedCommit[]> {
  return commit === undefined || !isOid(commit) ? [] : readCommitsAs(git, [commit], [id]);
}

function createdMs({ metadata }: ReadSession): number {
  return typeof metadata === "string" ? 0 : Date.parse(metadata.createdAt ?? "") || 0;
}

/** The prompts of each session's checkpoint before, by directory number; looked for only where that can matter. */
async function readBefore(
  git: Git,
  {
    id,
    sessions,
    prompts,
    stores,
  }: {
    readonly id: CheckpointId;
    readonly sessions: readonly ReadSession[];
    readonly prompts: ReadonlyMap<Oid, readonly string[] | Absence>;
    readonly stores: CheckpointStores | undefined;
  },
): Promise<Map<number, readonly string[]>> {
  const before = new Map<number, readonly string[]>();
  const hasSeveral = [...prompts.values()].some((own) => typeof own !== "string" && own.length > 1);
  if (!hasSeveral || stores === undefined) return before;
  const all = await readCheckpoints(git, await listCheckpointPlaces(stores, { raw: false }));
  const predecessors = findPredecessors(all);
  const found = sessions.flatMap(({ files: { index } }) => {
    const session = predecessors.get(predecessorKey(id, index));
    return session === undefined ? [] : [{ index, files: session.files }];
  });
  const read = await readPrompts(
    git,
    found.map(({ files }) => files),
  );
  for (const { index, files } of found) {
    const own = files.prompt === undefined ? undefined : read.get(files.prompt);
    if (typeof own === "object") before.set(index, own);
  }
  return before;
}

function explainSession(
  { files, metadata }: ReadSession,
  prompts: readonly string[] | Absence,
  before: readonly string[],
): ExplainedSession {
  const known: Partial<SessionMetadata> = typeof metadata === "string" ? {} : metadata;
  const unread: string[] = [];
  if (typeof metadata === "string") unread.push(`metadata: ${metadata}`);
  if (typeof prompts === "string" && prompts !== "never recorded") unread.push(`prompts: ${prompts}`);
  if (files.missingChunks.length > 0)
    unread.push(`transcript: chunk ${listSome(files.missingChunks)} is not recorded`);
  return {
    sessionId: known.sessionId,
    agent: known.agent,
    model: known.model,
    createdAt: known.createdAt,
    kind: known.kind,
    tokens: known.tokenUsage,
    summary: known.summary,
    agentSummary: known.agentSummary,
    prompts: typeof prompts === "string" ? [] : prompts,
    title: typeof prompts === "string" ? undefined : titleOf(promptsInScope(prompts, before)),
    transcriptStart: known.transcriptStart ?? 0,
    chunks: files.transcript.length,
    unread,
  };
}

export type TranscriptScope = "checkpoint" | "full";

interface ConversationOptions {
  readonly scope: TranscriptScope;
  /** Where the record was read: v2 counts the start of a checkpoint in compact lines, the others in raw ones. */
  readonly store: StoreKind;
}

/**
 * A session's conversation as compact lines: from where the checkpoint begins, or all of it. A start beyond the end
 * (real data has some) shows nothing rather than failing. Undefined: the agent's format is not known.
 * @throws KeyframeError as `TranscriptReader.open`, when the first line is asked for
 */
export function readConversation(
  transcripts: TranscriptReader,
  id: CheckpointId,
  { files, metadata }: ReadSession,
  { scope, store }: ConversationOptions,
): AsyncGenerator<CompactLine> | undefined {
  const known = typeof metadata === "string" ? undefined : metadata;
  const compactLine = lineCompactorOf(known?.agent ?? "");
  if (compactLine === undefined) return undefined;
  const start = scope === "full" ? 0 : (known?.transcriptStart ?? 0);
  const raw = transcriptLines(transcripts.open(id, files));
  const compactor = createCompactor(compactLine);
  return store === "v2"
    ? skipItems(compactFrom(raw, compactor), start)
    : compactFrom(skipLines(raw, start), compactor);
}

async function* skipLines(content: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const piece of content) {
    let rest = piece;
    for (let end = rest.indexOf(0x0a); left > 0 && end !== -1; end = rest.indexOf(0x0a)) {
      rest = rest.subarray(end + 1);
      left -= 1;
    }
    if (left === 0) yield rest;
  }
}

async function* skipItems<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left === 0) yield item;
    else left -= 1;
  }
}

async function* compactFrom(
  content: AsyncIterable<Buffer>,
  compactor: ReturnType<typeof createCompactor>,
): AsyncGenerator<CompactLine> {
  for await (const piece of content) {
    compactor.push(piece);
    yield* compactor.take();
  }
  compactor.endLine();
  yield* compactor.take();
  const open = compactor.open();
  if (open !== undefined) yield open;
}
