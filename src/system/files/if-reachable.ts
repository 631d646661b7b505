import { isKeyframeError } from "../../base/errors.ts";

/** What a look at a path returns; a place that we may not look into counts as one where nothing is. */
export function ifReachable<T>(look: () => T | undefined): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isKeyframeError(error, "permission-denied")) return undefined;
    throw error;
  }
}
