import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import { findElectedRemote } from "../../git/remote/remote.ts";
import type { Files } from "../../system/files/files.ts";
import type { Forge } from "./pipeline.ts";

/** Whose pipelines run for a repository: by the address of its remote, else by the files of one of them. */
export async function findForge(git: Git, files: Files): Promise<Forge | undefined> {
  const url = (await findElectedRemote(git))?.fetchUrl ?? "";
  const host = /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?([^:/]+)/i.exec(url)?.[1]?.toLowerCase() ?? "";
  if (host.includes("github")) return "github";
  if (host.includes("gitlab")) return "gitlab";
  const has = (name: string) => files.statIfExists(join(git.repository.workTree ?? "", name)) !== undefined;
  if (has(".gitlab-ci.yml")) return "gitlab";
  return has(".github") ? "github" : undefined;
}
