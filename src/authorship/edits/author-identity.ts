import { parseIdent } from "../../git/identity.ts";
import { runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import type { Processes } from "../../system/process/processes.ts";

/** `Name <email>` of the person who works in a repository, as git would write it into a commit. */
export function authorIdentity(repository: Repository, processes: Processes): string {
  const result = runGitSync(repository, processes, ["var", "GIT_AUTHOR_IDENT"]);
  return parseIdent(result.stdout.toString("utf8")) ?? "Unknown <unknown@localhost>";
}
