import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openSmallObjectReader, type SmallObjectReader } from "../../git/objects/small-objects.ts";
import { titleOf } from "../../transcripts/scan/title.ts";
import { isFetchedPlace, type StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { addTokens, noTokens, type TokenUsage } from "../record/token-usage.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import { linksByCheckpoint, readLinkedCommits, readRecordAuthors } from "./linked-commits.ts";
import {
  type CheckpointPlaces,
  listCheckpointPlaces,
  type ReadCheckpoint,
  type ReadSession,
  readCheckpoints,
  readPrompts,
} from "./read-checkpoints.ts";
import { findPredecessors, predecessorKey, promptsInScope } from "./scope-prompts.ts";

export interface CheckpointFilter {
  readonly branch?: string;
  /** Part of `Name <email>`, in any case. */
  readonly author?: string;
  /** Part of the agent's name, in any case. */
  readonly agent?: string;
  /** Beginning of a session id. */
  readonly session?: string;
  /** A path that was touched, or a directory above it. */
  readonly file?: string;
  /** Part of a prompt that led to it, in any case. */
  readonly text?: string;
  /** ISO dates, inclusive; a date without a time means the whole day in UTC. */
  readonly since?: string;
  readonly until?: string;
}

/** What a checkpoint says of one session's tokens. */
export interface SessionUsage {
  readonly sessionId: string;
  readonly tokens: TokenUsage;
  /** True: of this checkpoint alone. */
  readonly isOwn: boolean;
}

export interface ListedCheckpoint {
  readonly id: CheckpointId;
  readonly stores: readonly StoreKind[];
  /** Of its newest session. */
  readonly createdAt: string | undefined;
  readonly branch: string | undefined;
  readonly author: string | undefined;
  readonly agents: readonly string[];
  readonly sessionIds: readonly string[];
  readonly filesTouched: readonly string[];
  readonly tokens: TokenUsage;
  /** The same by session, as recorded. */
  readonly usages: readonly SessionUsage[];
  /** The first prompt of the newest session that led to this checkpoint. */
  readonly prompt: string | undefined;
  /** What a person would call it: the first line of those prompts that says something. */
  readonly title: string | undefined;
  /** What the agent of its newest session itself calls the conversation. */
  readonly agentSummary: string | undefined;
  /** What could not be read, in words: "metadata of session 0: missing here". */
  readonly unread: readonly string[];
}

export interface ListRequest {
  readonly filter?: CheckpointFilter;
  readonly limit?: number;
  /** Reads who wrote each record, which costs a walk over the history. Implied by the author filter. */
  readonly withAuthors?: boolean;
}

// the first lines appear at once, and many more need few reads
const promptsPerRead = [50, 2000];

/** Checkpoints that pass the filter, newest first. Trees, then metadata, then the prompts of what is shown: each in bulk. */
export async function* listCheckpoints(
  git: Git,
  stores: CheckpointStores,
  request: ListRequest = {},
): AsyncGenerator<ListedCheckpoint> {
  const objects = openSmallObjectReader(git);
  try {
    yield* listThrough(objects, { git, stores, request });
  } finally {
    await objects.close();
  }
}

interface Listing {
  readonly git: Git;
  readonly stores: CheckpointStores;
  readonly request: ListRequest;
}

async function* listThrough(
  objects: SmallObjectReader,
  { git, stores, request }: Listing,
): AsyncGenerator<ListedCheckpoint> {
  const { filter = {}, limit = Number.POSITIVE_INFINITY, withAuthors = false } = request;
  const places = await listCheckpointPlaces(stores, { raw: false });
  const [read, authors] = await Promise.all([
    readCheckpoints(git, places, objects),
    withAuthors || filter.author !== undefined ? readAuthors(git, places) : new Map<CheckpointId, string>(),
  ]);
  const predecessors = findPredecessors(read);
  const matching = read
    .map((checkpoint) => ({ ...summarise(checkpoint), author: authors.get(checkpoint.id) }))
    .filter((checkpoint) => passes(checkpoint, filter))
    .sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1))
    // which of them have the text is known only when their prompts are read
    .slice(0, filter.text === undefined ? limit : undefined);
  const wanted = filter.text?.toLowerCase();
  let left = limit;
  const [firstRead = 1, nextReads = 1] = promptsPerRead;
  for (let from = 0; from < matching.length; from += from === 0 ? firstRead : nextReads) {
    const page = matching.slice(from, from + (from === 0 ? firstRead : nextReads));
    const before = new Map(
      page.map(({ id, newest }) => [id, predecessors.get(predecessorKey(id, newest?.files.index ?? -1))]),
    );
    const sessions = page.flatMap(({ id, newest }) =>
      [newest?.files ?? [], before.get(id)?.files ?? []].flat(),
    );
    const prompts = await readPrompts(git, sessions, objects);
    const promptsOf = (session: ReadSession | undefined) => {
      const found = prompts.get(session?.files.prompt ?? ("" as Oid));
      return typeof found === "object" ? found : [];
    };
    for (const { newest, createdMs: _, ...checkpoint } of page) {
      const oid = newest?.files.prompt;
      const found = oid === undefined ? undefined : prompts.get(oid);
      const unread =
        typeof found === "string" ? [...checkpoint.unread, `prompt: ${found}`] : checkpoint.unread;
      const scope = promptsInScope(promptsOf(newest), promptsOf(before.get(checkpoint.id)));
      if (wanted !== undefined && !scope.some((prompt) => prompt.toLowerCase().includes(wanted))) continue;
      if (left <= 0) return;
      left -= 1;
      yield { ...checkpoint, unread, prompt: scope[0], title: titleOf(scope) };
    }
  }
}

async function readAuthors(
  git: Git,
  places: ReadonlyMap<CheckpointId, CheckpointPlaces>,
): Promise<Map<CheckpointId, string>> {
  const refs = [...places.values()].flatMap((trees) =>
    trees.filter((tree) => !isFetchedPlace(tree)).map(({ ref }) => ref),
  );
  const [authors, links] = await Promise.all([readRecordAuthors(git, refs), readLinkedCommits(git)]);
  for (const [id, [commit]] of linksByCheckpoint(links)) {
    if (!authors.has(id) && commit !== undefined) authors.set(id, commit.author);
  }
  return authors;
}

type Summarised = Omit<ListedCheckpoint, "prompt" | "title" | "author"> & {
  readonly newest: ReadSession | undefined;
  readonly createdMs: number;
};

function summarise({ id, places, root, sessions }: ReadCheckpoint): Summarised {
  const known = sessions.flatMap((session) =>
    typeof session.metadata === "string" ? [] : [{ ...session, metadata: session.metadata }],
  );
  const dated = known.map((session) => ({
    session,
    atMs: Date.parse(session.metadata.createdAt ?? "") || 0,
  }));
  const newest = dated.reduce<(typeof dated)[number] | undefined>(
    (best, next) => (best === undefined || next.atMs >= best.atMs ? next : best),
    undefined,
  );
  const unread = sessions.flatMap(({ files, metadata }) =>
    typeof metadata === "string" ? [`metadata of session ${files.index}: ${metadata}`] : [],
  );
  if (typeof root === "string") unread.unshift(`metadata of the checkpoint: ${root}`);
  const rootFields = typeof root === "string" ? undefined : root;
  const files = new Set(rootFields?.filesTouched);
  for (const { metadata } of known) for (const file of metadata.filesTouched) files.add(file);
  return {
    id,
    stores: places.map(({ store }) => store),
    createdAt: newest?.session.metadata.createdAt,
    createdMs: newest?.atMs ?? 0,
    newest: newest?.session ?? sessions.at(-1),
    branch: rootFields?.branch ?? newest?.session.metadata.branch,
    agents: [...new Set(known.flatMap(({ metadata }) => metadata.agent ?? []))],
    sessionIds: [...new Set(known.flatMap(({ metadata }) => metadata.sessionId ?? []))],
    filesTouched: [...files],
    agentSummary: newest?.session.metadata.agentSummary,
    usages: known.flatMap(({ metadata: { sessionId, tokenUsage, countsItsOwnTokens } }) =>
      sessionId === undefined || tokenUsage === undefined
        ? []
        : [{ sessionId, tokens: tokenUsage, isOwn: countsItsOwnTokens }],
    ),
    tokens:
      rootFields?.tokenUsage ??
      known.reduce((sum, { metadata }) => addTokens(sum, metadata.tokenUsage ?? noTokens), noTokens),
    unread,
  };
}

/** Pure, so that every filter is a row of a table in the tests. */
export function passes(
  checkpoint: Omit<ListedCheckpoint, "prompt" | "title">,
  filter: CheckpointFilter,
): boolean {
  const has = (text: string | undefined, part: string) =>
    text?.toLowerCase().includes(part.toLowerCase()) === true;
  const { branch, author, agent, session, file, since, until } = filter;
  if (branch !== undefined && checkpoint.branch !== branch) return false;
  if (author !== undefined && !has(checkpoint.author, author)) return false;
  if (agent !== undefined && !checkpoint.agents.some((name) => has(name, agent))) return false;
  if (session !== undefined && !checkpoint.sessionIds.some((id) => id.startsWith(session))) return false;
  const folder = file?.replace(/\/+$/, "");
  if (
    folder !== undefined &&
    !checkpoint.filesTouched.some((path) => path === folder || path.startsWith(`${folder}/`))
  )
    return false;
  const createdMs = Date.parse(checkpoint.createdAt ?? "");
  if (since !== undefined && !(createdMs >= Date.parse(since))) return false;
  return until === undefined || createdMs <= endOf(until);
}

function endOf(date: string): number {
  return /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T23:59:59.999Z`) : Date.parse(date);
}
