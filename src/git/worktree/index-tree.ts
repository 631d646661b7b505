import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";
import type { Git } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";

/**
 * The tree of what is staged. Of a copy of the user's index: writing a tree would note things in the index itself.
 * @throws KeyframeError `refused` during a merge
 */
export async function readIndexTree(git: Git, files: Files): Promise<Oid> {
  const { gitDir } = git.repository;
  const copy = join(gitDir, "keyframe", "snapshot", "index-copy");
  const bytes = files.readIfExists(join(gitDir, "index"));
  if (bytes === undefined) files.remove(copy);
  else files.replaceWithoutSync(copy, bytes, { mode: 0o600 });
  try {
    const result = await git.run(["write-tree"], { env: { GIT_INDEX_FILE: copy }, okCodes: [0, 128] });
    const tree = result.stdout.toString("latin1").trim();
    if (isOid(tree)) return tree;
    throw new KeyframeError("refused", "the index has unmerged paths: a whole working copy is needed", {
      hint: "finish or abort the merge first",
    });
  } finally {
    files.remove(copy);
  }
}
