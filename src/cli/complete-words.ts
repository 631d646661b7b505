import { proposeCompletions } from "@stricli/core";
import { application } from "./application.ts";
import type { CliContext } from "./command/context.ts";

/** `keyframe complete-words <words so far> <word under the cursor>`: one proposal a line, for the shells' scripts. */
export async function completeWords(context: CliContext, words: readonly string[]): Promise<void> {
  const proposals = await proposeCompletions(application, words.length === 0 ? [""] : words, context);
  for (const { completion } of proposals) context.terminal.out(completion);
}
