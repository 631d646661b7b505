import { sha256Hex } from "../../base/digest.ts";
import type { Files } from "../../system/files/files.ts";
import { readCopy } from "../capture/transcript-chunks.ts";
import { createSessionCompactors } from "../query/compact-sessions.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import { writerVersion } from "../sessions/events.ts";
import type { SessionWrite } from "../stores/store.ts";

/** Our redacted copy of a transcript, as far as a checkpoint holds it. */
export interface TranscriptCopy {
  readonly path: string;
  readonly bytes: number;
}

/**
 * A session with the compact transcript that version 2 shows for it, made from our copy. The other stores do without:
 * it says nothing that the raw transcript does not, and would be stored whole again with each checkpoint. Where the
 * agent's format is not known there is none.
 */
export async function addCompact(
  { files }: { readonly files: Files },
  session: SessionWrite,
  { kind, copy }: { readonly kind: StoreKind; readonly copy: TranscriptCopy | undefined },
): Promise<SessionWrite> {
  const metadata = new Map(session.metadata);
  metadata.delete("compact_transcript_start");
  if (kind !== "v2" || copy === undefined || session.transcript.length === 0) return { ...session, metadata };
  const text = (key: string) => {
    const value = session.metadata.get(key);
    return typeof value === "string" ? value : "";
  };
  const version = await createSessionCompactors().compact({
    sessionId: text("session_id"),
    agent: text("agent"),
    cliVersion: writerVersion,
    open: () => readCopy(files, copy.path, { from: 0, to: copy.bytes }),
  });
  if (version?.bytes === undefined) return { ...session, metadata };
  const start = session.metadata.get("checkpoint_transcript_start");
  metadata.set("compact_transcript_start", version.compactLineOf(typeof start === "number" ? start : 0));
  const hash = { bytes: Buffer.from(`sha256:${sha256Hex(version.bytes)}`) };
  return {
    ...session,
    metadata,
    compact: { bytes: version.bytes },
    others: new Map([...(session.others ?? []), ["transcript_hash.txt", hash]]),
  };
}
