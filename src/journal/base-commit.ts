import { isOid } from "../git/ids.ts";
import { runGitSync } from "../git/remote/sync.ts";
import { type Repository, readHeadFromFiles } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";
import type { Processes } from "../system/process/processes.ts";
import type { BaseCommit } from "./layout.ts";

/** The commit that HEAD is at now. Asks git only where refs are not plain files. */
export function readBaseCommit(repository: Repository, files: Files, processes: Processes): BaseCommit {
  const head = readHeadFromFiles(repository, files);
  if (head !== undefined) return head.oid ?? "initial";
  const result = runGitSync(repository, processes, ["rev-parse", "--verify", "--quiet", "HEAD"]);
  const oid = result.stdout.toString("latin1").trim();
  return isOid(oid) ? oid : "initial";
}
