import { fieldsOf, listOf } from "./json-fields.ts";
import { isMessageDocument, messageListOf } from "./message-chunks.ts";

/** Enough to tell a document from lines. */
const headBytes = 64 * 1024;

/**
 * A transcript as lines: one that is a JSON document with a `messages` array gives each message as a line, so that
 * positions count messages; one of lines is passed on as it comes. A document that is damaged has no lines.
 */
export async function* transcriptLines(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer[] | undefined = [];
  let sizeBytes = 0;
  let isDocument = false;
  for await (const piece of content) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    head.push(piece);
    sizeBytes += piece.length;
    if (isDocument || sizeBytes < headBytes) continue;
    isDocument = isMessageDocument(Buffer.concat(head));
    if (isDocument) continue;
    yield* head;
    head = undefined;
  }
  if (head === undefined) return;
  const whole = Buffer.concat(head);
  if (isDocument || isMessageDocument(whole)) yield* messageLines(whole);
  else if (whole.length > 0) yield whole;
}

function* messageLines(document: Buffer): Generator<Buffer> {
  for (const message of messagesOf(document)) yield Buffer.from(`${JSON.stringify(message)}\n`);
}

function messagesOf(document: Buffer): readonly unknown[] {
  try {
    const fields = fieldsOf(JSON.parse(document.toString("utf8"))) ?? {};
    return listOf(fields[messageListOf(fields) ?? ""]);
  } catch {
    return []; // cut off, or of another form: it is stored as it is, and nothing is known of it
  }
}
