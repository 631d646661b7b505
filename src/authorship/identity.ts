import type { Repository } from "../git/repository.ts";
import { runGitSync } from "../git/sync.ts";
import type { Processes } from "../system/processes.ts";

/** `Name <email>` of the person who works in a repository, as git would write it into a commit. */
export function authorIdentity(repository: Repository, processes: Processes): string {
  const result = runGitSync(repository, processes, ["var", "GIT_AUTHOR_IDENT"]);
  return parseIdent(result.stdout.toString("utf8")) ?? "Unknown <unknown@localhost>";
}

/** `Name <email> 1700000000 +0000` without its date. */
export function parseIdent(text: string): string | undefined {
  return /^(.*<[^>]*>) -?\d+ [+-]\d{4}\s*$/.exec(text)?.[1];
}
