import { isOid, type Oid } from "../../git/ids.ts";
import { runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import type { Processes } from "../../system/process/processes.ts";

export interface GitSync {
  readonly repository: Repository;
  readonly processes: Processes;
}

/** The blobs that names (`<commit>:<path>`, without newlines) stand for, in order; undefined for what is no blob here. */
export function resolveNamesSync(
  { repository, processes }: GitSync,
  names: readonly string[],
): (Oid | undefined)[] {
  if (names.length === 0) return [];
  const input = names.map((name) => `${name}\n`).join("");
  const { stdout } = runGitSync(repository, processes, ["cat-file", "--batch-check"], input);
  const lines = stdout.toString("latin1").split("\n");
  return names.map((_, index) => {
    const [oid = "", type] = (lines[index] ?? "").split(" ");
    return type === "blob" && isOid(oid) ? oid : undefined;
  });
}

/** Contents of blobs by one process; those that are not here are absent. */
export function readBlobsSync({ repository, processes }: GitSync, oids: readonly Oid[]): Map<Oid, Buffer> {
  const contents = new Map<Oid, Buffer>();
  if (oids.length === 0) return contents;
  const input = oids.map((oid) => `${oid}\n`).join("");
  const { stdout } = runGitSync(repository, processes, ["cat-file", "--batch"], input);
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(0x0a, at);
    if (end === -1) break;
    const [oid = "", type, size] = stdout.toString("latin1", at, end).split(" ");
    at = end + 1;
    if (!isOid(oid) || type !== "blob") continue;
    contents.set(oid, stdout.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
  return contents;
}
