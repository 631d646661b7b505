import { availableParallelism } from "node:os";

/** What this machine is. */
export const machineFacts = {
  platform: process.platform as string,
  cores: availableParallelism(),
  isRoot: process.getuid?.() === 0,
} as const;

/** Whose rights this process has; undefined where the system has no such numbers. */
export function effectiveUserId(): number | undefined {
  return process.geteuid?.();
}
