import { KeyframeError } from "../../base/errors.ts";
import { explainCheckpoint, readConversation } from "../../checkpoints/query/explain.ts";
import { openTranscriptReader } from "../../checkpoints/query/read-transcript.ts";
import { resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import { startContained } from "../../system/process/contained-process.ts";
import { summarizeSession } from "../../workflows/summarize/summarize-session.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints, openRepositoryGit } from "../command/open-repository.ts";
import { chooseSession } from "./choose-session.ts";
import { formatWithin, takeAll } from "./conversation-formats.ts";

/** So much of a conversation is summarized, tokens, unless `--budget` says otherwise. */
const defaultBudget = 30_000;

/** Has the user's own command summarize the conversation that is shown next. */
export async function summarizeFirst(
  context: CliContext,
  request: { readonly word: string | undefined; readonly session?: string; readonly budget?: number },
): Promise<void> {
  const { word } = request;
  if (word === undefined || /:\d+$/.test(word)) {
    throw new KeyframeError("usage", "--summarize needs a checkpoint or a commit");
  }
  const { git, stores } = openReadableCheckpoints(context);
  const [resolved, ...others] = await resolveCheckpoints({ git, stores, files: context.files }, word);
  if (resolved?.places === undefined || others.length > 0) {
    throw new KeyframeError("usage", `${word} does not mean exactly one checkpoint that is here`, {
      hint: "name the checkpoint: see `keyframe list`",
    });
  }
  const { id, places } = resolved;
  const { explanation, sessions } = await explainCheckpoint(git, id, places, stores);
  const session = sessions[chooseSession(explanation, request.session, id)];
  const sessionId = typeof session?.metadata === "object" ? session.metadata.sessionId : undefined;
  if (session === undefined || sessionId === undefined || session.files.transcript.length === 0)
    throw new KeyframeError("not-found", `checkpoint ${id} has no conversation to summarize`);
  const transcripts = openTranscriptReader(git);
  try {
    const lines = readConversation(transcripts, id, session, { scope: "checkpoint", store: places[0].store });
    if (lines === undefined) {
      throw new KeyframeError("not-found", "the format of this agent's transcripts is not known");
    }
    const conversation = formatWithin(await takeAll(lines), request.budget ?? defaultBudget).join("\n");
    await context.trace.span("summarize", () =>
      summarizeSession(
        openRepositoryGit(context),
        { ...context, startContained },
        { id, sessionId, conversation },
      ),
    );
  } finally {
    await transcripts.close();
  }
}
