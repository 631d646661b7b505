import { sha256Hex } from "../../base/digest.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openBulkWriter, readObjectFormat } from "../../git/objects/bulk-writer.ts";
import { openObjectStream } from "../../git/objects/object-stream.ts";
import { isMessageDocument, joinMessages } from "../../transcripts/message-chunks.ts";
import { type Redactor, redactedMark } from "../../transcripts/redaction/redaction.ts";
import { type CheckpointTree, sessionsOf } from "../record/checkpoint-tree.ts";

export interface ContentRedaction {
  readonly redactor: Redactor;
  /** Texts that are taken out whatever the rules say. */
  readonly secrets: readonly string[];
}

/** Files that say what others are: made anew, never searched. */
const digestFile = /(?:^|\/)(?:content_hash|raw_transcript_hash|transcript_hash)\.txt$/;

/**
 * Writes redacted copies of files and says which take the place of which; files without a finding are left out. The
 * digests of transcripts follow. No ref moves.
 */
export async function redactContent(
  git: Git,
  {
    files,
    trees,
    redaction,
  }: {
    /** Every file of the history in question, with its paths. */
    readonly files: ReadonlyMap<Oid, ReadonlySet<string>>;
    /** The records as they stand, whose digests are made anew. */
    readonly trees: readonly CheckpointTree[];
    readonly redaction: ContentRedaction;
  },
): Promise<Map<Oid, Oid>> {
  const objects = openObjectStream(git);
  const writer = openBulkWriter(git, await readObjectFormat(git));
  const replaced = new Map<Oid, Oid>();
  const contents = new Map<Oid, Buffer>();
  const read = async (oid: Oid): Promise<Buffer> =>
    contents.get(oid) ?? (await (await objects.read(oid)).bytes());
  try {
    for (const [oid, paths] of files) {
      if ([...paths].every((path) => digestFile.test(path))) continue;
      const content = await read(oid);
      const redacted = redact(content, redaction);
      if (redacted.equals(content)) continue;
      replaced.set(oid, await writer.blob(redacted));
      contents.set(oid, redacted);
    }
    for (const tree of trees) {
      for (const session of sessionsOf(tree)) {
        if (session.contentHash === undefined || !session.transcript.some((oid) => replaced.has(oid)))
          continue;
        const chunks: Buffer[] = [];
        for (const oid of session.transcript) chunks.push(await read(oid));
        const digest = Buffer.from(`sha256:${sha256Hex(joinChunks(chunks))}`);
        replaced.set(session.contentHash, await writer.blob(digest));
      }
    }
    await writer.finish();
    return replaced;
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    await objects.close();
  }
}

function joinChunks(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  if (first !== undefined && chunks.length > 1 && isMessageDocument(first)) return joinMessages([...chunks]);
  return Buffer.concat(chunks.flatMap((chunk, at) => (at === 0 ? [chunk] : [Buffer.from("\n"), chunk])));
}

function redact(content: Buffer, { redactor, secrets }: ContentRedaction): Buffer {
  let text = redactor.redactLines(content).toString("latin1");
  for (const secret of secrets) {
    const plain = Buffer.from(secret).toString("latin1");
    const escaped = Buffer.from(JSON.stringify(secret).slice(1, -1)).toString("latin1");
    for (const form of new Set([plain, escaped])) text = text.replaceAll(form, redactedMark);
  }
  return Buffer.from(text, "latin1");
}
