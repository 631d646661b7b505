import { join } from "node:path";
import type { Repository } from "../git/repository.ts";

/** The name of the directory below `<common dir>/keyframe` for what is derived from commits and notes and may be removed. */
export const indexName = "index";

export function indexDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", indexName);
}
