import { KeyframeError } from "../base/errors.ts";
import { type JsonMap, parseJsonDocument } from "../base/json-document.ts";
import { contentOfSession } from "../checkpoints/migrate/convert-checkpoint.ts";
import { sessionsOf } from "../checkpoints/record/checkpoint-tree.ts";
import type { CheckpointId } from "../checkpoints/record/ids.ts";
import { maxMetadataBytes } from "../checkpoints/record/limits.ts";
import { commitMessage, type WritePurpose } from "../checkpoints/stores/commit-message.ts";
import { layouts } from "../checkpoints/stores/layouts.ts";
import type { SessionWrite } from "../checkpoints/stores/store.ts";
import type { WritingPlace } from "../checkpoints/stores/writing-place.ts";
import type { Git } from "../git/git.ts";
import { readSmallObjects } from "../git/objects/small-objects.ts";

export interface SessionName {
  readonly id: CheckpointId;
  readonly sessionId: string;
}

/**
 * A session as it is stored, to be written again with more in its metadata.
 * @throws KeyframeError `not-here`
 */
export async function mustReadSession(
  git: Git,
  { store, tree }: WritingPlace,
  { id, sessionId }: SessionName,
): Promise<SessionWrite & { readonly metadata: JsonMap }> {
  const layout = layouts[store.kind];
  const sessions = tree === undefined ? [] : sessionsOf(tree);
  const oids = sessions.flatMap(({ metadata }) => metadata ?? []);
  const contents = await readSmallObjects(git, oids, maxMetadataBytes);
  // the newest of several with one id, as it is shown
  for (const files of sessions.toReversed()) {
    const content = files.metadata === undefined ? undefined : contents.get(files.metadata);
    const metadata = content instanceof Buffer ? parseJsonDocument(content.toString("utf8")) : undefined;
    if (!(metadata instanceof Map) || metadata.get("session_id") !== sessionId || files.index < 0) continue;
    const { others = new Map(), ...rest } = contentOfSession(files);
    const hash = layout.compactHashName;
    return {
      ...rest,
      others:
        hash === undefined || files.compactHash === undefined
          ? others
          : new Map([...others, [hash, { oid: files.compactHash }]]),
      metadata: new Map(layout.decodeSession(metadata)),
      slot: files.index,
    };
  }
  throw new KeyframeError(
    "not-here",
    `session ${sessionId} of checkpoint ${id} is in no store of this repository`,
    {
      hint: "it is stored with the checkpoint: who has it can add to it",
    },
  );
}

/** Writes such a session again; `what` is why, for the commit's message. */
export async function rewriteSession(
  { store }: WritingPlace,
  id: CheckpointId,
  {
    session,
    what,
    nowSeconds,
  }: { readonly session: SessionWrite; readonly what: WritePurpose; readonly nowSeconds: number },
): Promise<void> {
  await store.write([{ id, root: new Map(), sessions: [session] }], {
    message: commitMessage(store.kind, what),
    nowSeconds,
  });
}
