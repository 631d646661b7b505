import { availableParallelism } from "node:os";

/** What this machine is. */
export const machineFacts = {
  platform: process.platform as string,
  cores: availableParallelism(),
  isRoot: process.getuid?.() === 0,
} as const;

/**
 * The users whose files count as the user's own: who runs this process and, for root under sudo, who called it. Undefined
 * where the system has no such numbers.
 */
export function ownUserIds(env: NodeJS.ProcessEnv): readonly number[] | undefined {
  const user = process.geteuid?.();
  if (user === undefined) return undefined;
  const caller = env["SUDO_UID"] ?? "";
  return user === 0 && /^\d{1,10}$/.test(caller) ? [0, Number(caller)] : [user];
}
