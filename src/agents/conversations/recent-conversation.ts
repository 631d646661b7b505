import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { conversationFolders } from "./transcript-folders.ts";

/** How much of a file's beginning tells where its conversation happens, and which version of the agent leads it. */
const headBytes = 64 * 1024;

/** How many files and directories of an agent are looked at. */
const maxLooks = 5000;

/** Levels below an agent's own directory: `sessions/<year>/<month>/<day>/<file>`. */
const maxDepth = 5;

export interface ConversationSearch {
  readonly files: Files;
  readonly env: NodeJS.ProcessEnv;
  /** The directory in which the agent works. */
  readonly folder: string;
  /** Only conversations that were written to later. */
  readonly sinceMs: number;
}

export interface RecentConversation {
  readonly path: string;
  readonly writtenMs: number;
}

/** The conversation of an agent about a directory that was written to last; undefined where no file says so. */
export function findRecentConversation(
  tool: string,
  { files, env, folder, sinceMs }: ConversationSearch,
): RecentConversation | undefined {
  const place = JSON.stringify(folder);
  const found = listFiles(conversationFolders(tool, env), files)
    .filter(({ writtenMs }) => writtenMs > sinceMs)
    .sort((left, right) => right.writtenMs - left.writtenMs);
  return found.find(({ path }) => headOf(path, files).includes(place));
}

/** The version of the agent that a transcript names; texts in it have their quotes escaped, so they do not match. */
export function versionInTranscript(path: string, files: Files): string | undefined {
  return /"(?:cli_?version|copilotVersion|version)"\s*:\s*"(\d+\.\d+[^"\\]{0,30})"/i.exec(
    headOf(path, files),
  )?.[1];
}

function headOf(path: string, files: Files): string {
  for (const head of files.readChunks(path, { chunkBytes: headBytes })) return head.toString("utf8");
  return "";
}

function listFiles(roots: readonly string[], files: Files): RecentConversation[] {
  const found: RecentConversation[] = [];
  let level = [...roots];
  let looks = 0;
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth += 1) {
    const next: string[] = [];
    for (const folder of level) {
      // names are dates where there are many: the newest come first
      for (const { name, kind } of (files.listIfExists(folder) ?? []).reverse()) {
        looks += 1;
        if (looks > maxLooks) return found;
        const path = join(folder, name);
        if (kind === "folder") next.push(path);
        else if (kind === "file") found.push({ path, writtenMs: files.statIfExists(path)?.mtimeMs ?? 0 });
      }
    }
    level = next;
  }
  return found;
}
