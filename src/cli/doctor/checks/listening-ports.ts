import { join } from "node:path";
import type { Files } from "../../../system/files/files.ts";
import { ifReachable } from "../../../system/files/if-reachable.ts";

export interface ListeningPort {
  readonly address: string;
  /** The command line of the program that listens, its words joined by spaces. */
  readonly command: string;
}

/** TCP ports on which Keyframe's own programs of these users listen, as Linux tells it; empty elsewhere. */
export function listeningPorts(files: Files, users: readonly number[]): ListeningPort[] {
  const sockets = new Map(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listening(table, files, users)),
  );
  if (sockets.size === 0) return [];
  return processIds(files).flatMap((pid) => {
    const command = readLoosely(join("/proc", pid, "cmdline"), files)
      .replaceAll("\0", " ")
      .trim();
    if (!/\bkeyframe(?:\.cjs)? serve\b/.test(command)) return [];
    const folder = join("/proc", pid, "fd");
    const entries = ifReachable(() => files.listIfExists(folder)) ?? [];
    return entries.flatMap(({ name }) => {
      const target = ifReachable(() => files.readLinkIfExists(join(folder, name))) ?? "";
      const address = sockets.get(target);
      return address === undefined ? [] : [{ address, command }];
    });
  });
}

/** `socket:[inode]` and its port, of each row in state LISTEN (0A). */
function listening(table: string, files: Files, users: readonly number[]): [string, string][] {
  return readLoosely(table, files)
    .split("\n")
    .slice(1)
    .flatMap((row): [string, string][] => {
      const [, local = "", , state, , , , user, , inode = ""] = row.trim().split(/\s+/);
      if (state !== "0A" || !users.includes(Number(user))) return [];
      const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
      return [[`socket:[${inode}]`, `port ${port}`]];
    });
}

function processIds(files: Files): string[] {
  const entries = ifReachable(() => files.listIfExists("/proc")) ?? [];
  return entries.map(({ name }) => name).filter((name) => /^\d+$/.test(name));
}

function readLoosely(path: string, files: Files): string {
  return ifReachable(() => files.readIfExists(path))?.toString("utf8") ?? "";
}
