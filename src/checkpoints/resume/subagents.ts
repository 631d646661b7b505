import { dirname } from "node:path";
import { subagentTranscriptPath } from "../../agents/conversations/conversation-place.ts";
import type { Oid } from "../../git/ids.ts";
import type { Files } from "../../system/files/files.ts";
import type { StreamToFile } from "../../system/files/stream-to-file.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import type { CheckpointTree, SessionFiles } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { SessionMetadata } from "../record/metadata.ts";

/** A subagent's own transcript, stored with a checkpoint under the call that started it. */
export interface StoredSubagent {
  readonly toolUseId: string;
  readonly agentId: string;
  readonly oid: Oid;
  /** True where several sessions of the checkpoint may have made the call. */
  readonly shared: boolean;
}

const taskFile = /^(?:\d{1,6}\/)?tasks\/([A-Za-z0-9_-]{1,200})\/agent-([A-Za-z0-9_-]{1,200})\.jsonl$/;

/** Those of a checkpoint: stores keep them beside all its sessions, or with its newest, whoever made the call. */
export function subagentsOf(tree: CheckpointTree, sessions: number): StoredSubagent[] {
  return [...tree.files].flatMap(([path, oid]) => {
    const [, toolUseId, agentId] = taskFile.exec(path) ?? [];
    if (toolUseId === undefined || agentId === undefined) return [];
    return [{ toolUseId, agentId, oid, shared: sessions > 1 }];
  });
}

interface SessionWithSubagents {
  readonly checkpoint: CheckpointId;
  readonly files: SessionFiles;
  readonly metadata: SessionMetadata;
  readonly subagents: readonly StoredSubagent[];
}

interface RestoreSubagents {
  readonly files: Files;
  readonly streamToFile: StreamToFile;
  readonly transcripts: TranscriptReader;
}

/** Puts subagents' transcripts where their conversation's agent looks for them; one that is there is left as it is. */
export async function restoreSubagents(
  deps: RestoreSubagents,
  { checkpoint, files, metadata, subagents }: SessionWithSubagents,
  conversation: string,
): Promise<void> {
  const shared = subagents.filter((subagent) => subagent.shared).map(({ toolUseId }) => toolUseId);
  const made =
    shared.length === 0 ? new Set() : await idsIn(deps.transcripts.open(checkpoint, files), shared);
  for (const { toolUseId, agentId, oid, shared: isShared } of subagents) {
    if (isShared && !made.has(toolUseId)) continue;
    const path = subagentTranscriptPath(toolNameOf(metadata.agent ?? ""), conversation, agentId);
    if (path === undefined || deps.files.statIfExists(path) !== undefined) continue;
    deps.files.makeFolder(dirname(path));
    const content = deps.transcripts.open(checkpoint, { ...files, transcript: [oid] });
    await deps.streamToFile(path, content, { mode: 0o600 });
  }
}

/** Which of these ids a transcript names. */
async function idsIn(content: AsyncIterable<Buffer>, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  const longest = Math.max(...ids.map((id) => id.length));
  let tail: Buffer = Buffer.alloc(0);
  for await (const piece of content) {
    const text = Buffer.concat([tail, piece]);
    for (const id of ids) if (text.includes(id)) found.add(id);
    tail = text.subarray(-longest);
  }
  return found;
}
