import { isKeyframeError } from "../../../base/errors.ts";
import type { Git } from "../../../git/git.ts";
import { openSmallObjectReader, type SmallObjectReader } from "../../../git/objects/small-objects.ts";
import { lineCompactorOf, saidLinesOf } from "../../../transcripts/compact/agents.ts";
import { transcriptLines } from "../../../transcripts/document-lines.ts";
import type { CheckpointId } from "../../record/ids.ts";
import type { SessionMetadata } from "../../record/metadata.ts";
import type { CheckpointStores } from "../../stores/open-stores.ts";
import { listCheckpointPlaces, type ReadSession, readCheckpoints, readPrompts } from "../read-checkpoints.ts";
import { openTranscriptReader, type TranscriptReader } from "../read-transcript.ts";
import { keepLines, saidTexts } from "./said-lines.ts";
import { documentKey, type SearchDocument, type SearchIndex } from "./search-index.ts";
import type { SearchText } from "./search-text.ts";

export interface SearchHit {
  readonly id: CheckpointId;
  readonly sessionId: string | undefined;
  readonly createdAt: string | undefined;
  readonly agent: string | undefined;
  readonly kind: SearchText["kind"];
  readonly text: string;
}

export interface SearchOutcome {
  /** Newest first; the same text of the same session once. */
  readonly hits: readonly SearchHit[];
  /** Sessions whose transcript could not be searched, and why. */
  readonly unsearched: readonly Unsearched[];
}

export interface Unsearched {
  readonly id: CheckpointId;
  readonly sessionId: string;
  readonly why: string;
}

/** One version of a session: what a checkpoint holds of it. */
export interface Version {
  readonly id: CheckpointId;
  readonly session: ReadSession & { readonly metadata: SessionMetadata };
  readonly createdMs: number;
}

/** How many of the transcripts that are not indexed yet have been read. */
export type IndexProgress = (done: number, total: number) => void;

/**
 * Searches prompts, summaries and transcripts of all checkpoints on this machine. What is new is indexed first; of a
 * session's versions the last one is enough, because transcripts only grow.
 */
export async function searchCheckpoints(
  git: Git,
  stores: CheckpointStores,
  index: SearchIndex,
  { words, onProgress }: { readonly words: readonly string[]; readonly onProgress?: IndexProgress },
): Promise<SearchOutcome> {
  const { versions, unsearched } = await indexCheckpoints(git, stores, { index, onProgress });
  return { hits: collectHits(index, words, versions), unsearched };
}

export interface IndexedCheckpoints extends Pick<SearchOutcome, "unsearched"> {
  readonly versions: readonly Version[];
}

/** Indexes what is here and was not indexed before. */
export async function indexCheckpoints(
  git: Git,
  stores: CheckpointStores,
  { index, onProgress }: { readonly index: SearchIndex; readonly onProgress?: IndexProgress | undefined },
): Promise<IndexedCheckpoints> {
  const objects = openSmallObjectReader(git);
  const transcripts = openTranscriptReader(git, { boundTogether: true });
  const unsearched: Unsearched[] = [];
  try {
    const versions = await readVersions(git, stores, objects);
    const named = new Set(versions.flatMap(keysOf));
    index.retain((key) => named.has(key));
    const latest = [...latestBySession(versions).values()];
    await index.add(smallDocuments(git, versions, { index, objects }));
    await index.add(transcriptDocuments(transcripts, latest, { index, unsearched, onProgress }));
    return { versions, unsearched };
  } finally {
    await Promise.all([objects.close(), transcripts.close()]);
  }
}

async function readVersions(
  git: Git,
  stores: CheckpointStores,
  objects: SmallObjectReader,
): Promise<Version[]> {
  const read = await readCheckpoints(git, await listCheckpointPlaces(stores), objects);
  return read.flatMap(({ id, sessions }) =>
    sessions.flatMap(({ files, metadata }) =>
      typeof metadata === "string"
        ? []
        : [{ id, session: { files, metadata }, createdMs: Date.parse(metadata.createdAt ?? "") || 0 }],
    ),
  );
}

/** Of each session the version that is indexed. */
export function latestBySession(versions: readonly Version[]): Map<string, Version> {
  const latest = new Map<string, Version>();
  for (const version of versions) {
    if (version.session.files.transcript.length === 0) continue;
    const sessionId = version.session.metadata.sessionId ?? version.id;
    const known = latest.get(sessionId);
    if (known === undefined || version.createdMs >= known.createdMs) latest.set(sessionId, version);
  }
  return latest;
}

async function* smallDocuments(
  git: Git,
  versions: readonly Version[],
  { index, objects }: { readonly index: SearchIndex; readonly objects: SmallObjectReader },
): AsyncGenerator<SearchDocument> {
  const fresh = versions.filter(
    ({ session: { files } }) =>
      files.prompt !== undefined && !index.has(documentKey("prompt", [files.prompt])),
  );
  const prompts = await readPrompts(
    git,
    fresh.map(({ session }) => session.files),
    objects,
  );
  for (const [oid, found] of prompts) {
    if (typeof found === "string") continue;
    yield { key: documentKey("prompt", [oid]), texts: found.map((text) => ({ kind: "prompt", text })) };
  }
  for (const { session } of versions) {
    const { files, metadata } = session;
    const texts = summaryTexts(metadata);
    if (files.metadata === undefined || texts.length === 0) continue;
    yield { key: documentKey("metadata", [files.metadata]), texts };
  }
}

function summaryTexts({ summary, agentSummary }: SessionMetadata): SearchText[] {
  const texts = [
    agentSummary,
    summary?.intent,
    summary?.outcome,
    ...(summary?.repoLearnings ?? []),
    ...(summary?.codeLearnings ?? []).map(({ path, finding }) => `${path}: ${finding}`),
    ...(summary?.workflowLearnings ?? []),
    ...(summary?.friction ?? []),
    ...(summary?.openItems ?? []),
  ];
  return texts.filter((text) => text !== undefined).map((text) => ({ kind: "summary", text }));
}

interface Indexing {
  readonly index: SearchIndex;
  readonly unsearched: Unsearched[];
  readonly onProgress: IndexProgress | undefined;
}

async function* transcriptDocuments(
  transcripts: TranscriptReader,
  versions: readonly Version[],
  { index, unsearched, onProgress }: Indexing,
): AsyncGenerator<SearchDocument> {
  const fresh = versions.filter(
    ({ session }) => !index.has(documentKey("transcript", session.files.transcript)),
  );
  const note = ({ id, session }: Version, why: string) =>
    unsearched.push({ id, sessionId: session.metadata.sessionId ?? "(unknown)", why });
  const known = fresh.filter(({ session }) => lineCompactorOf(session.metadata.agent ?? "") !== undefined);
  for (const version of fresh) {
    if (lineCompactorOf(version.session.metadata.agent ?? "") === undefined)
      note(version, `the format of ${version.session.metadata.agent ?? "its agent"} is not known`);
  }
  await transcripts.expect(known.map(({ id, session }) => ({ id, files: session.files })));
  for (const [done, version] of known.entries()) {
    onProgress?.(done, known.length);
    try {
      // read as a whole before it is handed on: an error must not leave half a document
      yield await transcriptDocument(transcripts, version);
    } catch (error) {
      if (!isKeyframeError(error, "not-here", "damaged", "too-large")) throw error;
      note(version, error.code === "not-here" ? "missing here" : error.message);
    }
  }
}

/** Lines where it shows which of them say something, else what all of them say. */
async function transcriptDocument(
  transcripts: TranscriptReader,
  { id, session }: Version,
): Promise<SearchDocument> {
  const key = documentKey("transcript", session.files.transcript);
  const agent = session.metadata.agent ?? "";
  const isSaid = saidLinesOf(agent);
  const lines = await keepLines(transcriptLines(transcripts.open(id, session.files)), isSaid ?? (() => true));
  return isSaid === undefined ? { key, texts: saidTexts(agent, lines) } : { key, agent, lines };
}

/** What the index keeps of a version. */
function keysOf({ session: { files } }: Version): string[] {
  return [
    ...(files.prompt === undefined ? [] : [documentKey("prompt", [files.prompt])]),
    ...(files.metadata === undefined ? [] : [documentKey("metadata", [files.metadata])]),
    ...(files.transcript.length === 0 ? [] : [documentKey("transcript", files.transcript)]),
  ];
}

function collectHits(
  index: SearchIndex,
  words: readonly string[],
  versions: readonly Version[],
): SearchHit[] {
  const owners = new Map<string, Version>();
  // oldest last, so that what several checkpoints hold is credited to the first of them
  for (const version of [...versions].sort((a, b) => b.createdMs - a.createdMs)) {
    for (const key of keysOf(version)) owners.set(key, version);
  }
  const hits = new Map<string, { readonly hit: SearchHit; readonly createdMs: number }>();
  for (const { key, text } of index.find(words)) {
    const version = owners.get(key);
    if (version === undefined) continue;
    const { sessionId, createdAt, agent } = version.session.metadata;
    const same = `${sessionId} ${text.kind} ${text.text}`;
    const known = hits.get(same);
    if (known !== undefined && known.createdMs <= version.createdMs) continue;
    const { id, createdMs } = version;
    hits.set(same, { hit: { id, sessionId, createdAt, agent, kind: text.kind, text: text.text }, createdMs });
  }
  return [...hits.values()].sort((a, b) => b.createdMs - a.createdMs).map(({ hit }) => hit);
}
