import type { CliContext } from "./context.ts";

/** A command that reads its own arguments, because it takes those of git (`-M50`, `-L :name`, `--`). */
export type RawCommand = (context: CliContext, args: readonly string[]) => Promise<void>;

/** By name; each is loaded only when called. */
export const rawCommands: Record<string, (() => Promise<RawCommand>) | undefined> = {
  diff: async () => (await import("./diff/run.ts")).diff,
  log: async () => (await import("./log/run.ts")).log,
  blame: async () => (await import("./blame/run.ts")).blame,
  "complete-words": async () => (await import("./completion/complete-words.ts")).completeWords,
};
