import type { CliContext } from "./context.ts";

/** A command that reads its own arguments, because it takes those of git (`-M50`, `-L :name`, `--`). */
export type RawCommand = (context: CliContext, args: readonly string[]) => Promise<void>;
