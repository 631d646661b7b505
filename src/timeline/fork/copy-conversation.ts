import { dirname, join } from "node:path";
import { findConversationPlace, isConversationId } from "../../agents/conversations/conversation-place.ts";
import { type ConversationStep, conversationContent } from "../../checkpoints/rewind/conversation-rewind.ts";
import type { Git } from "../../git/git.ts";
import type { Files } from "../../system/files/files.ts";
import { type Random, randomHex } from "../../system/random.ts";
import type { ForkedSession } from "./fork-record.ts";

export interface CopyConversationDeps {
  readonly files: Files;
  readonly random: Random;
  readonly env: NodeJS.ProcessEnv;
}

export type CopiedConversation =
  | { readonly copied: ForkedSession; readonly problem?: undefined }
  | { readonly copied?: undefined; readonly problem: string };

/**
 * Copies a conversation under an id of its own to where its agent looks for it when it is started in `directory`. The
 * original is only read. One rename: the agent sees the whole copy or none.
 */
export async function copyConversation(
  git: Git,
  deps: CopyConversationDeps,
  { step, directory }: { readonly step: ConversationStep; readonly directory: string },
): Promise<CopiedConversation> {
  const { tool, session: parent } = step;
  if (!isConversationId(parent)) return { problem: `session ${parent} has an id that cannot be copied` };
  const session = randomUuid(deps.random);
  const lines = renameSession(conversationContent(git, deps.files, step), { parent, session });
  const first = await lines.next();
  if (first.done === true) return { problem: `the conversation of session ${parent} is empty` };
  const facts = { sessionId: session, folder: directory, home: deps.env["HOME"] || "/", env: deps.env };
  const place = findConversationPlace(tool, { ...facts, firstLine: first.value });
  if (place === undefined) {
    await lines.return(undefined);
    return { problem: `${tool} keeps conversations where none can be put: session ${parent} is not copied` };
  }
  const sizeBytes = await writeLines(deps.files, {
    path: place.path,
    session,
    first: first.value,
    rest: lines,
  });
  const redacted = step.source.kind === "stored" || step.source.redacted;
  return { copied: { tool, session, parent, transcriptPath: place.path, sizeBytes, redacted } };
}

/** A random UUID, version 4: the form of id that all agents take. */
function randomUuid(random: Random): string {
  const hex = randomHex(random, 32);
  const variant = (Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant.toString(16)}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Lines of a transcript with the session's id, where it is a whole JSON string, replaced. */
async function* renameSession(
  pieces: AsyncIterable<Buffer>,
  { parent, session }: { readonly parent: string; readonly session: string },
): AsyncGenerator<string, undefined> {
  let rest = Buffer.alloc(0);
  const renamed = (line: Buffer) => line.toString("utf8").replaceAll(`"${parent}"`, `"${session}"`);
  for await (const piece of pieces) {
    let from = 0;
    for (let at = piece.indexOf(0x0a); at !== -1; at = piece.indexOf(0x0a, from)) {
      yield renamed(Buffer.concat([rest, piece.subarray(from, at + 1)]));
      rest = Buffer.alloc(0);
      from = at + 1;
    }
    rest = Buffer.concat([rest, piece.subarray(from)]);
  }
  if (rest.length > 0) yield renamed(rest);
  return undefined;
}

const flushBytes = 1024 * 1024;

async function writeLines(
  files: Files,
  copy: {
    readonly path: string;
    readonly session: string;
    readonly first: string;
    readonly rest: AsyncIterable<string>;
  },
): Promise<number> {
  files.makeFolder(dirname(copy.path), { mode: 0o700 });
  const temporary = join(dirname(copy.path), `.${copy.session}.${process.pid}.tmp`);
  let offsetBytes = 0;
  let waiting: Buffer[] = [Buffer.from(copy.first)];
  let waitingBytes = copy.first.length;
  const flush = () => {
    const bytes = Buffer.concat(waiting);
    files.writeAt(temporary, bytes, { offsetBytes, mode: 0o600 });
    offsetBytes += bytes.length;
    waiting = [];
    waitingBytes = 0;
  };
  try {
    for await (const line of copy.rest) {
      waiting.push(Buffer.from(line));
      waitingBytes += line.length;
      if (waitingBytes >= flushBytes) flush();
    }
    flush();
    files.rename(temporary, copy.path);
    return offsetBytes;
  } catch (error) {
    files.remove(temporary);
    throw error;
  }
}
