import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { listSome } from "../../base/text/list-some.ts";
import { borrowFetched } from "../../git/fetched-objects.ts";
import type { Git } from "../../git/git.ts";
import { missingObjects } from "../../git/objects/missing-objects.ts";
import type { Remote } from "../../git/remote/remote.ts";
import { type CheckpointPlaces, type ReadSession, readCheckpoints } from "../query/read-checkpoints.ts";
import { openTranscriptReader } from "../query/read-transcript.ts";
import type { CheckpointId } from "../record/ids.ts";
import { filesOf, findOrFetchCheckpoint } from "../remote/fetch/fetch-checkpoints.ts";
import { fetchFiles, mustHaveAll, type WantedFile } from "../remote/fetch/fetch-files.ts";
import type { SyncContext } from "../remote/fetch/fetch-tips.ts";
import { chooseRecord, needsContent } from "./choose-record.ts";
import { dateOf, type GatheredSession } from "./gathered-session.ts";
import { subagentsOf } from "./subagents.ts";

export interface Gathered {
  /** Oldest first; of a session with several records, the one that holds the most of it. */
  readonly sessions: readonly GatheredSession[];
  readonly receivedBytes: number;
}

const metadataFile = /^(?:metadata\.json|\d{1,6}\/(?:metadata\.json|prompt\.txt))$/;

/**
 * Everything of some checkpoints that resuming needs, from this machine where it is here and else from the remote:
 * first trees, then metadata, then transcripts, each in one request.
 * @throws KeyframeError `not-here` (and no remote to ask), `not-on-remote`, `remote-failed`, `damaged` where the record
 * itself lacks a chunk: a transcript is whole or not restored
 */
export async function gatherSessions(
  context: SyncContext,
  remote: Remote | undefined,
  ids: readonly CheckpointId[],
): Promise<Gathered> {
  const readable = borrowFetched(context.git, context.files);
  const places: [CheckpointId, CheckpointPlaces][] = [];
  for (const id of ids) places.push([id, await placesOf(context, remote, id)]);
  let receivedBytes = 0;
  const get = async (wanted: readonly WantedFile[]) => {
    receivedBytes += await obtain(context, remote, wanted);
  };
  await get(places.flatMap(([, [tree]]) => filesOf(tree, metadataFile)));
  const records = new Map<string, GatheredSession[]>();
  for (const checkpoint of await readCheckpoints(readable, places)) {
    for (const session of checkpoint.sessions) {
      const [tree] = checkpoint.places;
      const subagents = subagentsOf(tree, checkpoint.sessions.length);
      const gathered = { ...mustUnderstand(checkpoint.id, session), subagents };
      const key = gathered.metadata.sessionId ?? `${checkpoint.id}/${session.files.index}`;
      records.set(key, [...(records.get(key) ?? []), gathered]);
    }
  }
  const several = [...records.values()].filter((group) =>
    group.some((one, at) => group.slice(0, at).some((other) => needsContent(one, other))),
  );
  await get(several.flat().flatMap(transcriptFiles));
  await mustBeBounded(readable, several.flat());
  const chosen: GatheredSession[] = [];
  for (const group of records.values())
    chosen.push(await chooseRecord(group, () => openTranscriptReader(readable)));
  const newest = chosen.sort((a, b) => dateOf(a) - dateOf(b));
  await get(newest.flatMap(transcriptFiles));
  try {
    await get(
      newest.flatMap(({ checkpoint, subagents }) =>
        subagents.map(({ oid, agentId }) => ({
          oid,
          what: `subagent ${agentId} of checkpoint ${checkpoint}`,
        })),
      ),
    );
  } catch (error) {
    if (!isKeyframeError(error, "not-here", "not-on-remote", "remote-failed", "timed-out")) throw error;
    context.note(`some subagents' transcripts are not restored: ${error.message}`);
  }
  const absent = new Set(
    await missingObjects(
      readable,
      newest.flatMap(({ subagents }) => subagents.map(({ oid }) => oid)),
    ),
  );
  const complete = newest.map((session) => ({
    ...session,
    subagents: session.subagents.filter(({ oid }) => !absent.has(oid)),
  }));
  return { sessions: complete, receivedBytes };
}

/** Records of one session are compared by content: what all of them would be is looked at first. */
async function mustBeBounded(readable: Git, records: readonly GatheredSession[]): Promise<void> {
  const reader = openTranscriptReader(readable);
  try {
    await reader.measure(
      "what was recorded of one session",
      records.flatMap(({ files }) => files.transcript),
    );
  } finally {
    await reader.close();
  }
}

function transcriptFiles({ checkpoint, files }: GatheredSession): WantedFile[] {
  const what = `the transcript of session ${files.index} of checkpoint ${checkpoint}`;
  return files.transcript.map((oid) => ({ oid, what }));
}

async function placesOf(
  context: SyncContext,
  remote: Remote | undefined,
  id: CheckpointId,
): Promise<CheckpointPlaces> {
  const places = await findOrFetchCheckpoint(context, remote, id);
  if (places !== undefined) return places;
  if (remote === undefined) {
    throw new KeyframeError(
      "not-here",
      `checkpoint ${id} is not on this machine, and there is no remote to ask`,
      {
        hint: "add the remote it was pushed to, or name it with --remote",
      },
    );
  }
  throw new KeyframeError(
    "not-on-remote",
    `checkpoint ${id} is neither on this machine nor at ${remote.name}`,
    {
      hint: "some machine made it and did not push it: run `keyframe push` there, or name another remote",
    },
  );
}

/** Bytes received. */
async function obtain(
  context: SyncContext,
  remote: Remote | undefined,
  wanted: readonly WantedFile[],
): Promise<number> {
  if (remote !== undefined) {
    const report = await fetchFiles(context, remote, wanted);
    mustHaveAll(remote, report);
    return report.receivedBytes;
  }
  const missing = new Set(
    await missingObjects(
      borrowFetched(context.git, context.files),
      wanted.map(({ oid }) => oid),
    ),
  );
  const absent = wanted.find(({ oid }) => missing.has(oid));
  if (absent === undefined) return 0;
  throw new KeyframeError(
    "not-here",
    `${absent.what} is recorded, but not on this machine (${missing.size} objects, such as ${absent.oid}), and there is no remote to ask`,
    { hint: "add the remote it was pushed to, or name it with --remote" },
  );
}

function mustUnderstand(
  checkpoint: CheckpointId,
  { files, metadata }: ReadSession,
): Omit<GatheredSession, "subagents"> {
  const session = `session ${files.index} of checkpoint ${checkpoint}`;
  if (typeof metadata === "string") {
    throw new KeyframeError(
      metadata === "never recorded" ? "never-recorded" : "damaged",
      `the metadata of ${session}: ${metadata}`,
      { hint: "`keyframe doctor` tells more; another remote may have a sound copy" },
    );
  }
  if (files.missingChunks.length > 0) {
    throw new KeyframeError(
      "damaged",
      `the transcript of ${session} lacks chunk ${listSome(files.missingChunks)}: it was stored without`,
      { hint: "another store or remote may hold it whole; nothing was restored" },
    );
  }
  return { checkpoint, files, metadata };
}
