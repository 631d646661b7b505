import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import type { Git } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";

/**
 * Takes objects that nothing names any more out of the repository, and only these: packs are written anew without what is
 * unreachable, which git leaves as files of their own. Returns those that something still names, a ref or a reflog.
 */
export async function removeObjects(git: Git, files: Files, oids: readonly Oid[]): Promise<readonly Oid[]> {
  if (oids.length === 0) return [];
  const named = await git.run(["rev-list", "--objects", "--all", "--reflog", "--indexed-objects"], {
    okCodes: [0, 128],
  });
  const reachable = new Set(
    named.stdout
      .toString("latin1")
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "")
      .filter(isOid),
  );
  await git.run(["repack", "-A", "-d", "-q"]);
  const folder = join(git.repository.commonDir, "objects");
  for (const oid of oids) {
    if (!reachable.has(oid)) files.remove(join(folder, oid.slice(0, 2), oid.slice(2)));
  }
  return oids.filter((oid) => reachable.has(oid));
}
