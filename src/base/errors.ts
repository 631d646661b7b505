import type { ErrorCode } from "./error-codes.ts";

export interface KeyframeErrorOptions {
  /** What the user can do next, as one sentence or one command line. */
  readonly hint?: string;
  /** The foreign error this one translates. */
  readonly cause?: unknown;
}

/**
 * An error that the user can act on. Its code is stable (docs/errors.md); its message names the offending
 * value; secrets are stripped from message and hint as they enter.
 */
export class KeyframeError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: KeyframeErrorOptions = {}) {
    super(stripSecrets(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KeyframeError";
    this.code = code;
    this.hint = options.hint === undefined ? undefined : stripSecrets(options.hint);
  }
}

export function isKeyframeError(error: unknown, ...codes: readonly ErrorCode[]): error is KeyframeError {
  return error instanceof KeyframeError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of any thrown value, secrets stripped. */
export function errorText(error: unknown): string {
  return stripSecrets(error instanceof Error ? error.message : String(error));
}

const secretPatterns: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]{1,400}@/gi, "$1***@"],
  [/\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,400}/gi, "$1 ***"],
  [/\b(?:sk|ghp|gho|ghs|ghu|github_pat|xox[abps]|glpat)[-_][A-Za-z0-9_-]{8,400}/g, "***"],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, "***"],
  [/([?&](?:X-Amz-Signature|X-Amz-Credential|access_token|token|sig|key)=)[^&\s]{1,400}/gi, "$1***"],
];

function stripSecrets(text: string): string {
  return secretPatterns.reduce(
    (stripped, [pattern, replacement]) => stripped.replace(pattern, replacement),
    text,
  );
}
