/**
 * The library, for editors, bots and pages: what the commands `blame`, `list` and `explain` know, as values.
 *
 * ```ts
 * import { openRepository } from "keyframe-cli";
 *
 * const repository = openRepository(process.cwd());
 * for (const { line, owner } of await repository.ownersOf("src/main.ts"))
 *   console.log(line, owner?.name ?? "nobody knows");
 * ```
 */
export { type ErrorCode, errorCodes } from "./base/error-codes.ts";
export { isKeyframeError, KeyframeError } from "./base/errors.ts";
export { keyframeVersion } from "./base/version.ts";
export type { ExplainedSession, Explanation } from "./checkpoints/query/explain.ts";
export type { CheckpointFilter, ListedCheckpoint } from "./checkpoints/query/list-checkpoints.ts";
export type { KnownOwner, OwnedLine } from "./workflows/ask/file-owners.ts";
export {
  type CheckpointListOptions,
  type KeyframeRepository,
  type OwnersOptions,
  openRepository,
} from "./workflows/open-repository.ts";
