import { KeyframeError } from "../base/errors.ts";
import { maxChunkBytes } from "./limits.ts";

/**
 * Transcripts that are one JSON document with a list of messages (Gemini, OpenCode, Cline, Auggie) are stored whole up to the limit,
 * and above it as several documents, each with some of the messages.
 * @throws KeyframeError `too-large` for a message that no chunk can hold
 */
export function cutMessages(document: Buffer, maxBytes = maxChunkBytes): Buffer[] {
  if (document.length <= maxBytes) return [document];
  const { name, messages, rest } = parseMessages(document);
  const envelopeBytes = Buffer.byteLength(JSON.stringify({ ...rest, [name]: [] }));
  const chunks: Buffer[] = [];
  let held: unknown[] = [];
  let sizeBytes = envelopeBytes;
  const flush = () => {
    // what is beside the messages is kept once, in the first chunk
    chunks.push(
      Buffer.from(JSON.stringify(chunks.length === 0 ? { ...rest, [name]: held } : { [name]: held })),
    );
    held = [];
    sizeBytes = envelopeBytes;
  };
  for (const message of messages) {
    const messageBytes = Buffer.byteLength(JSON.stringify(message)) + 1;
    if (envelopeBytes + messageBytes > maxBytes) {
      throw new KeyframeError("too-large", `a message of ${messageBytes} bytes cannot be stored`);
    }
    if (sizeBytes + messageBytes > maxBytes) flush();
    held.push(message);
    sizeBytes += messageBytes;
  }
  flush();
  return chunks;
}

/** The document again: the messages of all chunks, the rest of the first. One chunk is returned as it is. */
export function joinMessages(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const parsed = chunks.map(parseMessages);
  const { name = "messages", rest = {} } = parsed[0] ?? {};
  return Buffer.from(JSON.stringify({ ...rest, [name]: parsed.flatMap((chunk) => chunk.messages) }));
}

/** True if the transcript is one JSON document rather than lines. */
export function isMessageDocument(start: Buffer): boolean {
  return (
    /^\s*\{\s*"(?:messages|info|sessionId|projectHash|version"\s*:\s*\d+\s*,\s*"updated_at)"\s*:/.test(
      start.toString("utf8", 0, 200),
    ) && !/^\s*\{[^\n]*\}\s*\n\s*\{/.test(start.toString("utf8", 0, 65536))
  );
}

function parseMessages(document: Buffer): {
  readonly name: string;
  readonly messages: readonly unknown[];
  readonly rest: Readonly<Record<string, unknown>>;
} {
  let parsed: unknown;
  try {
    parsed = JSON.parse(document.toString("utf8"));
  } catch (error) {
    throw new KeyframeError("damaged", "a chunk of the transcript is not valid JSON", { cause: error });
  }
  const fields = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
  const name = messageListOf(fields);
  if (name === undefined) throw new KeyframeError("damaged", "a chunk of the transcript has no messages");
  const { [name]: messages, ...rest } = fields;
  return { name, messages: messages as unknown[], rest };
}

/** What a document's list of messages is called; undefined if it has none. */
export function messageListOf(document: Readonly<Record<string, unknown>>): string | undefined {
  return ["messages", "chatHistory"].find((name) => Array.isArray(document[name]));
}
