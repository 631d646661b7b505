import { errorText, isKeyframeError } from "../../base/errors.ts";
import { exitCodes } from "./exit-codes.ts";

/** How every command shows an error: what, then what to do next, then why. */
export function describeError(error: unknown): string {
  if (!isKeyframeError(error)) {
    return `keyframe: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  const lines = [`keyframe: ${error.message} (${error.code})`];
  if (error.hint !== undefined) lines.push(`  ${error.hint}`);
  if (error.cause !== undefined) lines.push(`  cause: ${errorText(error.cause)}`);
  return lines.join("\n");
}

export function exitCodeOf(error: unknown): number {
  return isKeyframeError(error) ? exitCodes[error.code] : 1;
}
