import type { Git } from "./git.ts";

/** The user's own `Name <email>` as git would commit with; where git knows none, a neutral one. */
export async function committerIdentity(git: Git): Promise<string> {
  const result = await git.run(["var", "GIT_COMMITTER_IDENT"], { okCodes: [0, 1, 128] });
  const identity = result.code === 0 ? parseIdent(result.stdout.toString("utf8")) : undefined;
  return identity ?? "Keyframe <keyframe@localhost>";
}

/** `Name <email> 1700000000 +0000` without its date. */
export function parseIdent(text: string): string | undefined {
  return /^(.*<[^>]*>) -?\d+ [+-]\d{4}\s*$/.exec(text)?.[1];
}
