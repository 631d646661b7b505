import { KeyframeError } from "../../base/errors.ts";
import type { CheckpointId } from "../record/ids.ts";
import { type CommitLinks, findCheckpointsOfWork, findCommitLinks, type LinkDeps } from "./commit-links.ts";
import type { ExplainedLineOwner } from "./line-owner.ts";
import { type CheckpointPlaces, type ReadCheckpoint, readCheckpoints } from "./read-checkpoints.ts";
import { openTranscriptReader } from "./read-transcript.ts";
import type { ResolvedCheckpoint } from "./resolve-checkpoint.ts";

/**
 * The conversation of one line: that of the session which its note names, wherever it is stored; else those of the
 * commit that brought it in, of several only the one in which it was written, where that can be told.
 * @throws KeyframeError `not-found` where nothing leads to a conversation
 */
export async function resolveLine(
  deps: LinkDeps,
  owner: ExplainedLineOwner,
): Promise<readonly ResolvedCheckpoint[]> {
  const links = await findCommitLinks(deps, owner.commit);
  const linked = await readLinked(deps, links);
  const own = await findOwn(deps, owner, linked);
  const ids = own ?? (await chooseByText(deps, owner, linked)) ?? links?.ids ?? [];
  if (ids.length === 0) {
    throw new KeyframeError(
      "not-found",
      `no conversation is linked to commit ${owner.commit}, which brought the line in`,
      { hint: "`keyframe blame` shows who wrote it, as far as that is known" },
    );
  }
  const link =
    own !== undefined && links?.ids.includes(own[0] ?? ("" as CheckpointId)) !== true
      ? "owners"
      : links?.kind;
  return ids.map((id) => ({
    id,
    places: deps.places.get(id),
    via: "commit",
    ...(link === undefined ? {} : { link }),
  }));
}

async function readLinked(
  { git, places }: LinkDeps,
  links: CommitLinks | undefined,
): Promise<ReadCheckpoint[]> {
  const here = (links?.ids ?? []).flatMap((id): [CheckpointId, CheckpointPlaces][] => {
    const at = places.get(id);
    return at === undefined ? [] : [[id, at]];
  });
  return readCheckpoints(git, here);
}

/** Of the session that owns the line: first among what the commit leads to, then anywhere. */
async function findOwn(
  deps: LinkDeps,
  owner: ExplainedLineOwner,
  linked: readonly ReadCheckpoint[],
): Promise<readonly CheckpointId[] | undefined> {
  const { agent, trace, path } = owner;
  if (agent === undefined || agent.id === "") return undefined;
  const holding = linked.filter(({ sessions }) =>
    sessions.some(({ metadata }) => typeof metadata !== "string" && metadata.sessionId === agent.id),
  );
  const places = holding.length === 0 ? deps.places : new Map(holding.map(({ id, places: at }) => [id, at]));
  const work = { agent, traces: trace === undefined ? [] : [trace], paths: [path] };
  const found = await findCheckpointsOfWork({ ...deps, places }, [work]);
  return found.length === 0 ? undefined : found;
}

/** The first of several whose session touched the file and whose transcript has the line's text. */
async function chooseByText(
  { git }: LinkDeps,
  { path, text }: ExplainedLineOwner,
  linked: readonly ReadCheckpoint[],
): Promise<readonly CheckpointId[] | undefined> {
  const touching = linked.filter(({ sessions }) =>
    sessions.some(({ metadata }) => typeof metadata !== "string" && metadata.filesTouched.includes(path)),
  );
  if (linked.length < 2 || touching.length === 0) return undefined;
  if (touching.length === 1) return touching.map(({ id }) => id);
  const wanted = Buffer.from(JSON.stringify(text.trim()).slice(1, -1));
  const transcripts = openTranscriptReader(git);
  try {
    for (const { id, sessions } of wanted.length === 0 ? [] : oldestFirst(touching)) {
      for (const { files } of sessions) {
        if (files.transcript.length === 0 || files.missingChunks.length > 0) continue;
        if ((await transcripts.missing(files.transcript)).length > 0) continue;
        if (await contains(transcripts.open(id, files), wanted)) return [id];
      }
    }
  } finally {
    await transcripts.close();
  }
  return touching.map(({ id }) => id);
}

function oldestFirst(checkpoints: readonly ReadCheckpoint[]): ReadCheckpoint[] {
  const at = ({ sessions }: ReadCheckpoint) =>
    Math.max(
      0,
      ...sessions.map(({ metadata }) =>
        typeof metadata === "string" ? 0 : Date.parse(metadata.createdAt ?? "") || 0,
      ),
    );
  return [...checkpoints].sort((a, b) => at(a) - at(b));
}

async function contains(content: AsyncIterable<Buffer>, wanted: Buffer): Promise<boolean> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of content) {
    const text = Buffer.concat([rest, piece]);
    if (text.includes(wanted)) return true;
    rest = text.subarray(Math.max(0, text.length - wanted.length));
  }
  return false;
}
