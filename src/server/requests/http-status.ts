import type { ErrorCode } from "../../base/error-codes.ts";
import { errorText, isKeyframeError } from "../../base/errors.ts";

/** The HTTP status that each error code gives, on both interfaces. */
export const httpStatuses = {
  usage: 400,
  "invalid-input": 400,
  unauthorized: 401,
  "foreign-origin": 403,
  "not-found": 404,
  "not-here": 404,
  "never-recorded": 404,
  "not-on-remote": 404,
  refused: 409,
  "already-exists": 409,
  "in-use": 409,
  "not-ready": 409,
  closed: 409,
  "guest-gone": 410,
  "too-large": 413,
  "guest-failed": 422,
  damaged: 422,
  unsupported: 501,
  "program-missing": 500,
  "program-failed": 500,
  "permission-denied": 500,
  "io-failed": 500,
  "hypervisor-failed": 502,
  "remote-failed": 502,
  busy: 503,
  "lock-busy": 503,
  "store-unavailable": 503,
  "timed-out": 504,
  "disk-full": 507,
} as const satisfies Record<ErrorCode, number>;

export type HttpErrorStatus = (typeof httpStatuses)[ErrorCode];

/** What a caller is told about an error. What is not one of ours is a defect: its text stays in the server. */
export interface DescribedError {
  readonly status: HttpErrorStatus;
  readonly code: ErrorCode | "internal";
  readonly message: string;
  readonly hint?: string;
}

export function describeHttpError(error: unknown): DescribedError {
  if (!isKeyframeError(error)) {
    return { status: 500, code: "internal", message: "the server failed; its log says more" };
  }
  return {
    status: httpStatuses[error.code],
    code: error.code,
    message: errorText(error),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}
