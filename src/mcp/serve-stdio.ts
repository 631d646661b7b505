import type { AskContext } from "../workflows/ask/ask-context.ts";
import { answerMessage, failure, type RpcResponse, rpcCodes } from "./message.ts";

/** Longest message of a client, bytes; questions are short. */
const maxMessageBytes = 1024 * 1024;

/**
 * Speaks MCP over lines: one JSON message a line, answered in the order they arrive. Ends with the input.
 * @param write must not return before the line is on its way, or one that returns a promise for that
 */
export async function serveStdio(
  context: AskContext,
  input: AsyncIterable<Uint8Array>,
  write: (line: string) => Promise<void>,
): Promise<void> {
  for await (const line of linesOf(input)) {
    if (line !== undefined && line.trim() === "") continue;
    const response =
      line === undefined
        ? failure(null, rpcCodes.notARequest, "the message is too long")
        : await answerLine(context, line);
    if (response !== undefined) await write(`${JSON.stringify(response)}\n`);
  }
}

async function answerLine(context: AskContext, line: string): Promise<RpcResponse | undefined> {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return failure(null, rpcCodes.parse, "not JSON");
  }
  return answerMessage(context, message);
}

/** Lines as text; undefined for one that is too long. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  const take = (last: Buffer) => {
    const isTooLong = heldBytes + last.length > maxMessageBytes;
    const line = isTooLong ? undefined : Buffer.concat([...held, last]).toString("utf8");
    held = [];
    heldBytes = 0;
    return line;
  };
  for await (const chunk of input) {
    let from = 0;
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = piece.indexOf(0x0a); at !== -1; at = piece.indexOf(0x0a, from)) {
      yield take(piece.subarray(from, at));
      from = at + 1;
    }
    const rest = piece.subarray(from);
    heldBytes += rest.length;
    // of a line that is too long only the length is remembered
    held = heldBytes > maxMessageBytes ? [] : [...held, Buffer.from(rest)];
  }
  if (heldBytes > 0) yield take(Buffer.alloc(0));
}
