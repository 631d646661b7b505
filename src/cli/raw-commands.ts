import type { RawCommand } from "./command/raw-command.ts";

/** By name; each is loaded only when called. */
export const rawCommands: Record<string, (() => Promise<RawCommand>) | undefined> = {
  diff: async () => (await import("./diff/diff.ts")).diff,
  log: async () => (await import("./log/log.ts")).log,
  blame: async () => (await import("./blame/blame.ts")).blame,
  "remote-helper": async () => (await import("./remote-helper/remote-helper.ts")).remoteHelper,
  "complete-words": async () => (await import("./complete-words.ts")).completeWords,
};
