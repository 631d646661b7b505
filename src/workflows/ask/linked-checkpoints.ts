import { resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import type { Oid } from "../../git/ids.ts";
import type { AskContext } from "./ask-context.ts";

/** The checkpoints that a commit leads to and that are on this machine; none where no conversation is linked to it. */
export async function linkedCheckpoints({ git, stores, files }: AskContext, commit: Oid): Promise<string[]> {
  try {
    const found = await resolveCheckpoints({ git, stores, files }, commit);
    return found.filter(({ places }) => places !== undefined).map(({ id }) => id);
  } catch {
    return []; // no conversation is linked to the commit
  }
}
