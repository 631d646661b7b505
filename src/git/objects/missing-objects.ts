import { ownObjectsOnly } from "../fetched-objects.ts";
import type { Git } from "../git.ts";
import type { Oid } from "../ids.ts";

/** Which of some objects are not on this machine; one `cat-file --batch-check` for all, and nothing is fetched. */
export function missingObjects(git: Git, oids: readonly Oid[]): Promise<Oid[]> {
  return askMissing(git, oids, {});
}

/** The same without what was only fetched: for writers, which may name none of that. */
export function missingOwnObjects(git: Git, oids: readonly Oid[]): Promise<Oid[]> {
  return askMissing(git, oids, ownObjectsOnly());
}

async function askMissing(git: Git, oids: readonly Oid[], env: NodeJS.ProcessEnv): Promise<Oid[]> {
  if (oids.length === 0) return [];
  const result = await git.run(["cat-file", "--batch-check=%(objectname)", "--buffer"], {
    stdin: [...new Set(oids)].map((oid) => `${oid}\n`).join(""),
    env: { ...env, GIT_NO_LAZY_FETCH: "1" },
  });
  return result.stdout
    .toString("latin1")
    .split("\n")
    .filter((line) => line.endsWith(" missing"))
    .map((line) => line.slice(0, -" missing".length) as Oid);
}
