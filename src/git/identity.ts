import type { Git } from "./git.ts";

/** The user's own `Name <email>` as git would commit with; where git knows none, a neutral one. */
export async function committerIdentity(git: Git): Promise<string> {
  const result = await git.run(["var", "GIT_COMMITTER_IDENT"], { okCodes: [0, 1, 128] });
  const match = /^(.*<[^>]*>) \d+ [+-]\d{4}$/.exec(result.stdout.toString("utf8").trim());
  return result.code === 0 && match?.[1] !== undefined ? match[1] : "Keyframe <keyframe@localhost>";
}
