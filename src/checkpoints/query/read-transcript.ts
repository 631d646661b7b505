import { KeyframeError } from "../../base/errors.ts";
import { listSome } from "../../base/text/list-some.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectStream, type StreamedObject } from "../../git/objects/object-stream.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { isMessageDocument, joinMessages } from "../../transcripts/message-chunks.ts";
import type { SessionFiles } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { createSizeCheck } from "./transcript-size.ts";

/** Reads raw transcripts one after the other through two long-lived processes. */
export interface TranscriptReader {
  /**
   * The transcript as a stream. Every chunk is looked for before the first byte is given, so a transcript is whole or
   * an error, never cut short.
   * @throws KeyframeError `not-here` naming what is absent, `damaged` where the tree lacks a chunk, `not-found` where
   * none was recorded, `too-large` where it would be more than its objects account for
   */
  open(id: CheckpointId, files: SessionFiles): AsyncGenerator<Buffer>;
  /** Transcripts that will be opened in this order: they are looked for together, and git reads ahead. */
  expect(sessions: readonly ExpectedTranscript[]): Promise<void>;
  missing(oids: readonly Oid[]): Promise<Oid[]>;
  /** Bytes of several transcripts, bounded together. @throws KeyframeError `too-large`: nothing was unpacked */
  measure(what: string, oids: readonly Oid[]): Promise<number>;
  close(): Promise<void>;
}

export interface ExpectedTranscript {
  readonly id: CheckpointId;
  readonly files: SessionFiles;
}

/** `boundTogether`: for all transcripts of a repository; what would be too much together is `too-large`. */
export function openTranscriptReader(
  git: Git,
  { boundTogether = false }: { readonly boundTogether?: boolean } = {},
): TranscriptReader {
  const checks = openObjectReader(git, { lazyFetch: false });
  const together = boundTogether ? createSizeCheck(checks) : undefined;
  const objects = openObjectStream(git);
  const expected = new Map<SessionFiles, Promise<void>>();

  async function missing(oids: readonly Oid[]): Promise<Oid[]> {
    const found = await Promise.all(oids.map((oid) => checks.info(oid)));
    return oids.filter((_, index) => found[index] === undefined);
  }

  async function check({ id, files }: ExpectedTranscript): Promise<void> {
    const session = `session ${files.index} of checkpoint ${id}`;
    checkRecorded(session, files);
    const absent = await missing(files.transcript);
    if (absent.length > 0) throw notHere({ id, files }, absent);
    await (together ?? createSizeCheck(checks))(`the transcript of ${session}`, files.transcript);
  }

  return {
    async *open(id, files) {
      await (expected.get(files) ?? check({ id, files }));
      expected.delete(files);
      yield* joined(files.transcript.map((oid) => () => objects.read(oid)));
    },
    async expect(sessions) {
      const outcomes = await Promise.allSettled(
        sessions.map(async (session) => {
          const verdict = check(session);
          expected.set(session.files, verdict);
          await verdict;
        }),
      );
      const usable = sessions.filter((_, at) => outcomes[at]?.status === "fulfilled");
      objects.expect(usable.flatMap(({ files }) => files.transcript));
    },
    missing,
    measure: (what, oids) => createSizeCheck(checks, Number.POSITIVE_INFINITY)(what, oids),
    async close() {
      await Promise.all([checks.close(), objects.close()]);
    },
  };
}

function checkRecorded(session: string, files: SessionFiles): void {
  if (files.transcript.length === 0)
    throw new KeyframeError("not-found", `no transcript was recorded for ${session}`);
  if (files.missingChunks.length > 0) {
    throw new KeyframeError(
      "damaged",
      `the transcript of ${session} lacks chunk ${listSome(files.missingChunks)}`,
      {
        hint: "the record itself is incomplete; another store or remote may hold it whole",
      },
    );
  }
}

function notHere({ id, files }: ExpectedTranscript, absent: readonly Oid[]): KeyframeError {
  return new KeyframeError(
    "not-here",
    `the transcript of session ${files.index} of checkpoint ${id} is recorded, but ${absent.length} of its ${files.transcript.length} objects are not on this machine: ${absent.slice(0, 3).join(", ")}`,
    { hint: `run \`keyframe fetch --checkpoint ${id}\` to get them from the remote` },
  );
}

/** Lines join by a newline; documents with messages become one document again. */
async function* joined(chunks: readonly (() => Promise<StreamedObject>)[]): AsyncGenerator<Buffer> {
  const documents: Buffer[] = [];
  for (const [number, read] of chunks.entries()) {
    const object = await read();
    if (documents.length > 0) {
      documents.push(await object.bytes());
      continue;
    }
    if (number > 0) yield newline;
    let first = true;
    for await (const piece of object.chunks()) {
      if (first && number === 0 && chunks.length > 1 && isMessageDocument(piece)) {
        documents.push(Buffer.concat([piece, await object.bytes()]));
        break;
      }
      first = false;
      yield piece;
    }
  }
  if (documents.length > 0) yield joinMessages(documents);
}

const newline = Buffer.from("\n");
