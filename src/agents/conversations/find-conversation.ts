import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import {
  type ConversationFacts,
  codexHome,
  findConversationPlace,
  isConversationId,
} from "./conversation-place.ts";

/** Directories that are looked through for one conversation at most. */
const maxFolders = 5000;

/**
 * The file of a conversation that an agent keeps on this machine: at its place, or where else that agent files it (by
 * date, by a name of its own). Undefined if it has none.
 */
export function findConversationFile(
  tool: string,
  facts: Omit<ConversationFacts, "firstLine">,
  files: Files,
): string | undefined {
  if (!isConversationId(facts.sessionId)) return undefined;
  const place = findConversationPlace(tool, { ...facts, firstLine: "" });
  if (place !== undefined && files.statTargetIfExists(place.path)?.kind === "file") return place.path;
  if (tool === "kimi") return findKimiFile(facts, files);
  const search = searches.get(tool)?.(facts);
  if (search === undefined) return undefined;
  let folders = [search.root];
  for (let level = 0; level <= search.levels; level += 1) {
    const next: string[] = [];
    for (const folder of folders) {
      for (const { name, kind } of files.listIfExists(folder) ?? []) {
        const path = join(folder, name);
        if (kind === "folder") next.push(path);
        else if (kind === "file" && search.isFile(name) && holdsId(path, facts.sessionId, files)) return path;
      }
    }
    // names are dates where there are many: the newest first
    folders = next.reverse().slice(0, maxFolders);
  }
  return undefined;
}

interface Search {
  readonly root: string;
  /** How many directories lie between the root and a conversation at most. */
  readonly levels: number;
  readonly isFile: (name: string) => boolean;
}

const searches: ReadonlyMap<string, (facts: Omit<ConversationFacts, "firstLine">) => Search> = new Map([
  [
    "codex",
    (facts) => ({
      root: join(codexHome(facts), "sessions"),
      levels: 3,
      isFile: (name) => name.endsWith(`-${facts.sessionId}.jsonl`),
    }),
  ],
  [
    "gemini",
    ({ home, sessionId }) => ({
      root: join(home, ".gemini", "tmp"),
      levels: 2,
      isFile: (name) => name.startsWith("session-") && name.includes(sessionId.slice(0, 8)),
    }),
  ],
  [
    "pi",
    ({ home, sessionId }) => ({
      root: join(home, ".pi/agent/sessions"),
      levels: 1,
      isFile: (name) => name.endsWith(`_${sessionId}.jsonl`),
    }),
  ],
  [
    "cursor",
    ({ home, sessionId }) => ({
      root: join(home, ".cursor/projects"),
      levels: 3,
      isFile: (name) => name === `${sessionId}.jsonl`,
    }),
  ],
  [
    "droid",
    ({ home, sessionId }) => ({
      root: join(home, ".factory/sessions"),
      levels: 1,
      isFile: (name) => name === `${sessionId}.jsonl`,
    }),
  ],
  [
    "qwen",
    ({ home, sessionId }) => ({
      root: join(home, ".qwen/projects"),
      levels: 2,
      isFile: (name) => name === `${sessionId}.jsonl`,
    }),
  ],
  [
    "cline",
    ({ home, sessionId }) => ({
      root: join(home, ".cline/data/sessions", sessionId),
      levels: 0,
      isFile: (name) => name === `${sessionId}.messages.json`,
    }),
  ],
]);

/** `~/.kimi-code/sessions/wd_<name>_<digest>/<session>/agents/main/wire.jsonl`, whatever the work directory's name. */
function findKimiFile(
  { home, env, sessionId }: Omit<ConversationFacts, "firstLine">,
  files: Files,
): string | undefined {
  const root = join(env["KIMI_CODE_HOME"] || join(home, ".kimi-code"), "sessions");
  const paths = (files.listIfExists(root) ?? []).map(({ name }) =>
    join(root, name, sessionId, "agents/main/wire.jsonl"),
  );
  return paths.find((path) => files.statTargetIfExists(path)?.kind === "file");
}

/** A name may hold only a part of the id; then the file's beginning tells. */
function holdsId(path: string, sessionId: string, files: Files): boolean {
  if (path.includes(sessionId)) return true;
  for (const head of files.readChunks(path, { chunkBytes: 4096 })) return head.includes(sessionId);
  return false;
}
