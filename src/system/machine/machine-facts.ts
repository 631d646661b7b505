import { availableParallelism } from "node:os";

/** What this machine is. */
export const machineFacts = {
  platform: process.platform as string,
  cores: availableParallelism(),
  isRoot: process.getuid?.() === 0,
} as const;
