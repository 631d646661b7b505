import { errorText, isKeyframeError } from "../../base/errors.ts";
import { cleanText } from "../../base/text/clean-text.ts";
import { exitCodes } from "./exit-codes.ts";

const maxShownLength = 4000;

/** How every command shows an error: what, then what to do next, then why. */
export function describeError(error: unknown): string {
  if (!isKeyframeError(error)) {
    return `keyframe: ${inside(error instanceof Error ? (error.stack ?? error.message) : String(error))}`;
  }
  const lines = [`keyframe: ${inside(error.message)} (${error.code})`];
  if (error.hint !== undefined) lines.push(`  ${inside(error.hint)}`);
  if (error.cause !== undefined) lines.push(`  cause: ${inside(errorText(error.cause))}`);
  return lines.join("\n");
}

/** What a program or another person wrote may have several lines: those that follow are set off, and none is endless. */
function inside(text: string): string {
  const cleaned = cleanText(text).replace(/\n/g, "\n    ");
  return cleaned.length <= maxShownLength ? cleaned : `${cleaned.slice(0, maxShownLength)} ...`;
}

export function exitCodeOf(error: unknown): number {
  return isKeyframeError(error) ? exitCodes[error.code] : 1;
}
