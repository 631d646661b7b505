import type { ErrorCode } from "../../base/error-codes.ts";

/** What a script can rely on: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 damaged data, 6 try again. */
export const exitCodes: Record<ErrorCode, number> = {
  "disk-full": 6,
  "permission-denied": 1,
  "io-failed": 1,
  "program-missing": 1,
  "program-failed": 1,
  "timed-out": 6,
  "lock-busy": 6,
  usage: 2,
  "invalid-input": 2,
  "too-large": 2,
  "not-found": 3,
  "not-here": 3,
  refused: 4,
  damaged: 5,
  "already-exists": 4,
  "in-use": 4,
  "not-ready": 6,
  "guest-failed": 1,
  "guest-gone": 1,
  "hypervisor-failed": 1,
  unauthorized: 4,
  "foreign-origin": 4,
  busy: 6,
  "store-unavailable": 6,
  unsupported: 4,
  closed: 1,
  "never-recorded": 3,
  "not-on-remote": 3,
  "remote-failed": 6,
};

export const usageExitCode = exitCodes.usage;
