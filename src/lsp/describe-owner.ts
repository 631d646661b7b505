import { cleanLine, cleanText } from "../base/text/clean-text.ts";
import type { OwnedLine } from "../workflows/ask/file-owners.ts";
import type { OwnerBlock } from "./document-owners.ts";

/** A name of the protocol: what a client runs to read the conversation behind a line. */
export const openConversation = "keyframe.openConversation";

const longestPrompt = 600;
const longestTitle = 60;

/** Markdown for a hover. Everything that others wrote is quoted as code, so that it is shown and nothing more. */
export function hoverText(line: OwnedLine, checkpoint: string | undefined): string {
  const { owner } = line;
  const parts = [owner === undefined ? "**Owner unknown**" : `**${ownerTitle(owner)}**`];
  parts.push(commitText(line));
  if (owner?.prompt !== undefined)
    parts.push(`Prompt:\n\n${fenced(shorten(cleanText(owner.prompt), longestPrompt))}`);
  if (checkpoint !== undefined) parts.push(`Conversation: \`keyframe explain ${checkpoint}\``);
  return parts.join("\n\n");
}

/** The line above a block: who, and what for. */
export function lensTitle({ line }: OwnerBlock): string {
  const { owner } = line;
  if (owner === undefined) return "unknown";
  const why = owner.prompt ?? (line.commit === undefined ? "" : line.subject);
  const what = why === "" ? "" : `: ${shorten(cleanLine(why), longestTitle)}`;
  return `${cleanLine(owner.name)}${line.commit === undefined ? " (not committed)" : ""}${what}`;
}

/** The word behind the first line of a block. */
export function inlayLabel({ line }: OwnerBlock): string {
  const { owner } = line;
  if (owner === undefined) return "unknown";
  return owner.kind === "human" ? cleanLine(owner.name.replace(/\s*<[^>]*>$/, "")) : cleanLine(owner.name);
}

function ownerTitle(owner: NonNullable<OwnedLine["owner"]>): string {
  const kind = owner.kind === "agent" ? "Agent" : "Person";
  return `${kind} ${inCode(owner.name)}`;
}

function commitText({ commit, subject, time, author }: OwnedLine): string {
  if (commit === undefined) return "Not committed yet";
  const date = new Date(time * 1000).toISOString().slice(0, 10);
  return `Commit \`${commit.slice(0, 12)}\` of ${date} by ${inCode(author)}: ${inCode(subject)}`;
}

function inCode(text: string): string {
  const clean = cleanLine(text).replaceAll("`", "'").trim();
  return clean === "" ? "-" : `\`${clean}\``;
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

function shorten(text: string, most: number): string {
  const flat = text.trim();
  const letters = Array.from(flat);
  return letters.length <= most ? flat : `${letters.slice(0, most - 1).join("")}…`;
}
