import { dirname, join } from "node:path";
import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";

/** When a hook of an agent was last heard of, and what it said. */
export interface HeardAgent {
  readonly tool: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: string;
}

/**
 * Notes that an agent's hook has run: `<common git dir>/keyframe/heard/<agent>`, a time and the event's name. Never
 * throws: it only serves `status` and `doctor`.
 */
export function noteHeard(repository: Repository, files: Files, { tool, at, event }: HeardAgent): void {
  const path = join(heardFolder(repository), tool);
  try {
    // a hook runs on every edit: what was heard a moment ago need not be written again
    if (at - (files.statIfExists(path)?.mtimeMs ?? 0) < heardEveryMs) return;
    files.makeFolder(dirname(path));
    files.replaceWithoutSync(path, Buffer.from(`${at} ${event}\n`), { mode: 0o600 });
  } catch {
    // nothing depends on it
  }
}

const heardEveryMs = 60_000;

export function listHeard(repository: Repository, files: Files): HeardAgent[] {
  return (files.listIfExists(heardFolder(repository)) ?? []).flatMap(({ name }) => {
    const text = files.readIfExists(join(heardFolder(repository), name))?.toString("utf8") ?? "";
    const [, at, event] = /^(\d{1,16}) (\S{1,40})\n$/.exec(text) ?? [];
    return at === undefined || event === undefined ? [] : [{ tool: name, at: Number(at), event }];
  });
}

function heardFolder(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "heard");
}

/** True if the repository's own settings connect the agent, so that hooks in the user's home must not do it again. */
export function isConnectedHere(repository: Repository, files: Files, tool: string): boolean {
  return files.statIfExists(join(connectedFolder(repository), tool)) !== undefined;
}

export function noteConnected(repository: Repository, files: Files, tools: readonly string[]): void {
  const folder = connectedFolder(repository);
  for (const { name } of files.listIfExists(folder) ?? [])
    if (!tools.includes(name)) files.remove(join(folder, name));
  if (tools.length === 0) return;
  files.makeFolder(folder);
  for (const tool of tools) files.createIfAbsent(join(folder, tool), Buffer.alloc(0));
}

/** Since when the repository's own settings connect agents, by agent; milliseconds since 1970. */
export function listConnected(repository: Repository, files: Files): ReadonlyMap<string, number> {
  const folder = connectedFolder(repository);
  const entries = (files.listIfExists(folder) ?? []).map(
    ({ name }) => [name, files.statIfExists(join(folder, name))?.mtimeMs ?? 0] as const,
  );
  return new Map(entries);
}

/** `<common git dir>/keyframe/connected/<agent>` */
function connectedFolder(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "connected");
}
