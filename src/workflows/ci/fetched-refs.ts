import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { updateRefs } from "../../git/refs/refs.ts";

/** Removes the refs that held what a pipeline had fetched. */
export async function dropFetchedRefs(git: Git, prefix: string): Promise<void> {
  const text = await git.text(["for-each-ref", "--format=%(objectname) %(refname)", prefix]);
  const updates = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({
      ref: line.slice(line.indexOf(" ") + 1),
      expected: line.slice(0, line.indexOf(" ")) as Oid,
      next: undefined,
    }));
  await updateRefs(git, updates, "keyframe: the pipeline ended");
}
