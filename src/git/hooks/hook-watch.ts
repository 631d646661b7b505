import { dirname, join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import type { Repository } from "../repository.ts";

/** What starts Keyframe from a hook, by absolute paths. */
export interface HookProgram {
  readonly node: string;
  readonly entry: string;
}

/**
 * How the hooks looked when they were last put in order, so that looking at them again costs a few stats:
 * `<common git dir>/keyframe/hook-watch.json`. The repository's configuration is among the files, since it says where
 * hooks lie.
 */
interface HookWatch {
  readonly version: 1;
  readonly program: HookProgram;
  readonly looks: Readonly<Record<string, string>>;
}

/** Remembers how the hooks look now. */
export function watchHooks(
  repository: Repository,
  files: Files,
  { program, paths }: { readonly program: HookProgram; readonly paths: readonly string[] },
): void {
  const watched = [...paths, join(repository.commonDir, "config")];
  const watch: HookWatch = {
    version: 1,
    program,
    looks: Object.fromEntries(watched.map((path) => [path, lookOf(path, files)])),
  };
  files.makeFolder(dirname(watchPath(repository)));
  files.replaceWithoutSync(watchPath(repository), Buffer.from(JSON.stringify(watch)), { mode: 0o600 });
}

/** The program that the hooks shall start, if one of them is no longer as it was left; reads no hook. */
export function findTouchedHooks(repository: Repository, files: Files): HookProgram | undefined {
  const text = files.readIfExists(watchPath(repository))?.toString("utf8");
  if (text === undefined) return undefined;
  const watch = parseWatch(text);
  if (watch === undefined) return undefined;
  const isTouched = Object.entries(watch.looks).some(([path, look]) => lookOf(path, files) !== look);
  return isTouched ? watch.program : undefined;
}

export function unwatchHooks(repository: Repository, files: Files): void {
  files.remove(watchPath(repository));
}

function watchPath({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "hook-watch.json");
}

function parseWatch(text: string): HookWatch | undefined {
  try {
    const watch = JSON.parse(text) as HookWatch;
    return watch.version === 1 ? watch : undefined;
  } catch {
    return undefined; // torn by a crash of the machine: the next `enable` writes it anew
  }
}

/** The time of change moves with content, mode and name, also where a tool sets the time of modification back. */
function lookOf(path: string, files: Files): string {
  const stat = files.statIfExists(path);
  return stat === undefined ? "absent" : `${stat.kind} ${stat.sizeBytes} ${stat.mode} ${stat.ctimeMs}`;
}
