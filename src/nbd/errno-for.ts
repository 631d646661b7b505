import type { ErrorCode } from "../base/error-codes.ts";
import { isKeyframeError } from "../base/errors.ts";
import { errnos } from "./protocol.ts";

const errnoByCode: Partial<Record<ErrorCode, number>> = {
  "disk-full": errnos.noSpace,
  "permission-denied": errnos.permission,
  refused: errnos.permission,
  "invalid-input": errnos.invalid,
  "too-large": errnos.overflow,
  closed: errnos.shutdown,
};

/** What the protocol calls an error of the disk; anything without a name there is EIO. */
export function errnoFor(error: unknown): number {
  return isKeyframeError(error) ? (errnoByCode[error.code] ?? errnos.io) : errnos.io;
}
