import { KeyframeError } from "../../base/errors.ts";
import type { ReadCheckpoint } from "../query/read-checkpoints.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { Removal } from "./removal.ts";

/** What a word names, and what else holds the same conversations. */
export interface FoundRemoval extends Removal {
  readonly sessionIds: readonly string[];
  /** Other checkpoints that hold one of these sessions. */
  readonly others: readonly CheckpointId[];
}

/** The checkpoints as a whole. */
export function removalOfCheckpoints(
  all: readonly ReadCheckpoint[],
  ids: readonly CheckpointId[],
): FoundRemoval {
  const checkpoints = new Set(ids);
  const sessionIds = new Set(all.filter(({ id }) => checkpoints.has(id)).flatMap(sessionIdsOf));
  const others = all.filter(
    (checkpoint) =>
      !checkpoints.has(checkpoint.id) && sessionIdsOf(checkpoint).some((id) => sessionIds.has(id)),
  );
  return { checkpoints, folders: new Map(), sessionIds: [...sessionIds], others: others.map(({ id }) => id) };
}

/**
 * One session in every checkpoint: a checkpoint that holds no other goes as a whole. Undefined: no session begins so.
 * @throws KeyframeError `invalid-input` where several sessions begin so
 */
export function removalOfSession(all: readonly ReadCheckpoint[], word: string): FoundRemoval | undefined {
  const fitting = [...new Set(all.flatMap(sessionIdsOf))].filter((id) => id.startsWith(word));
  const [sessionId] = fitting.includes(word) ? [word] : fitting;
  if (sessionId === undefined) return undefined;
  if (fitting.length > 1 && sessionId !== word) {
    throw new KeyframeError(
      "invalid-input",
      `ambiguous session ${word}: it fits ${fitting.slice(0, 8).join(", ")}`,
      {
        hint: "type more of the id",
      },
    );
  }
  const checkpoints = new Set<CheckpointId>();
  const folders = new Map<CheckpointId, ReadonlySet<number>>();
  for (const checkpoint of all) {
    const own = checkpoint.sessions.filter((session) => sessionIdOf(session) === sessionId);
    if (own.length === 0) continue;
    if (own.length === checkpoint.sessions.length) checkpoints.add(checkpoint.id);
    else folders.set(checkpoint.id, new Set(own.map(({ files }) => files.index)));
  }
  return { checkpoints, folders, sessionIds: [sessionId], others: [] };
}

function sessionIdsOf({ sessions }: ReadCheckpoint): string[] {
  return sessions.flatMap((session) => sessionIdOf(session) ?? []);
}

function sessionIdOf({ metadata }: ReadCheckpoint["sessions"][number]): string | undefined {
  return typeof metadata === "string" ? undefined : metadata.sessionId;
}
