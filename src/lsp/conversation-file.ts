import { join } from "node:path";
import { cleanLine, cleanText } from "../base/text/clean-text.ts";
import type { AskContext } from "../workflows/ask/ask-context.ts";
import { type ConversationEntry, readConversationPage } from "../workflows/ask/conversation.ts";

const maxEntries = 5000;
const maxBytes = 8 * 1024 * 1024;

/**
 * Writes what led to a checkpoint as Markdown into the repository's own directory, for an editor to open; returns the path.
 * @throws KeyframeError `not-found`, `not-here`, `invalid-input`
 */
export async function writeConversation(context: AskContext, checkpoint: string): Promise<string> {
  const page = await readConversationPage(context, {
    what: checkpoint,
    from: 0,
    count: maxEntries,
    full: false,
  });
  const pieces = [`# Conversation of checkpoint ${page.checkpoint.id}`];
  if (page.problem !== undefined) pieces.push(page.problem);
  let size = 0;
  for (const entry of page.entries) {
    const text = entryText(entry);
    size += text.length;
    if (size > maxBytes) break;
    pieces.push(text);
  }
  if (page.next !== undefined || size > maxBytes)
    pieces.push(`(cut: \`keyframe explain ${page.checkpoint.id}\` has the rest)`);
  const folder = conversationFolder(context);
  context.files.makeFolder(folder, { mode: 0o700 });
  const path = join(folder, `${page.checkpoint.id}.md`);
  context.files.replaceWithoutSync(path, Buffer.from(`${pieces.join("\n\n")}\n`), { mode: 0o600 });
  return path;
}

/** Where conversations lie while they are read; removed when the server ends. */
export function conversationFolder({ git }: AskContext): string {
  return join(git.repository.commonDir, "keyframe", "shown");
}

function entryText({ kind, text, tool }: ConversationEntry): string {
  if (kind === "tool") {
    const failed = tool?.failed === true ? " (failed)" : "";
    return `- ${cleanLine(tool?.name ?? "tool")}${failed}: ${cleanLine(text).slice(0, 300)}`;
  }
  return `## ${kind === "user" ? "User" : "Assistant"}\n\n${cleanText(text)}`;
}
