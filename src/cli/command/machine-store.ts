import type { Git } from "../../git/git.ts";

/** Where machines of moments are kept for others: `git config keyframe.store`; undefined where nothing is set. */
export async function findMachineStore(git: Git): Promise<string | undefined> {
  const text = await git.text(["config", "--get", "keyframe.store"], { okCodes: [0, 1] });
  return text.trim() || undefined;
}
