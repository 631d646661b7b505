import { KeyframeError } from "../../base/errors.ts";
import { type Explanation, explainCheckpoint, readConversation } from "../../checkpoints/explain.ts";
import { createBlameLookup, type LineOwner, parseLineOfFile } from "../../checkpoints/line-owner.ts";
import type { ReadSession } from "../../checkpoints/read-checkpoints.ts";
import { openTranscriptReader, type TranscriptReader } from "../../checkpoints/read-transcript.ts";
import { type ResolvedCheckpoint, resolveCheckpoints } from "../../checkpoints/resolve-checkpoint.ts";
import type { Git } from "../../git/git.ts";
import type { CliContext } from "../context.ts";
import { openReadableCheckpoints } from "../open-repository.ts";
import { explainBranch } from "./branch.ts";
import { formatConversationLine, formatExplanation } from "./format.ts";

export interface ExplainFlags {
  readonly session?: string;
  readonly short?: boolean;
  readonly full?: boolean;
  readonly rawTranscript?: boolean;
  readonly json?: boolean;
}

/** Explains what a word means; without one, the branch. */
export async function explain(this: CliContext, flags: ExplainFlags, word?: string): Promise<void> {
  const { git, stores } = openReadableCheckpoints(this);
  if (word === undefined) return explainBranch(this, { git, stores, json: flags.json === true });
  const at = parseLineOfFile(word);
  const owner = at === undefined ? undefined : await createBlameLookup(git, this.cwd)(at);
  if (at !== undefined && owner === undefined) {
    throw new KeyframeError("not-found", `line ${at.line} of ${at.path} is not committed yet`);
  }
  const found = await resolveCheckpoints(git, stores, owner?.commit ?? word);
  const transcripts = openTranscriptReader(git);
  try {
    for (const [index, resolved] of found.entries()) {
      if (index > 0 && !flags.json && !flags.rawTranscript) this.terminal.out("");
      await explainOne(this, { git, transcripts, resolved, owner, flags });
    }
  } finally {
    await transcripts.close();
  }
}

interface Subject {
  readonly git: Git;
  readonly transcripts: TranscriptReader;
  readonly resolved: ResolvedCheckpoint;
  readonly owner: LineOwner | undefined;
  readonly flags: ExplainFlags;
}

async function explainOne(
  context: CliContext,
  { git, transcripts, resolved, owner, flags }: Subject,
): Promise<void> {
  const { id, places } = resolved;
  if (places === undefined) {
    throw new KeyframeError(
      "not-here",
      `checkpoint ${id} is named in the commit, but no record of it is on this machine`,
      {
        hint: "run `keyframe fetch`; if no remote has it either, it was never recorded or never pushed",
      },
    );
  }
  const { explanation, sessions } = await explainCheckpoint(git, id, places);
  const wanted = flags.session ?? owner?.sessionId;
  const chosen = chooseSession(explanation, wanted, id);
  const session = sessions[chosen];
  if (flags.rawTranscript) {
    if (session === undefined) throw new KeyframeError("not-found", `checkpoint ${id} has no session`);
    for await (const piece of transcripts.open(id, session.files)) await writeAll(context, piece);
    return;
  }
  if (flags.json) return context.terminal.json({ ...explanation, ...(owner === undefined ? {} : { owner }) });
  context.terminal.out(formatExplanation(explanation, { chosen, short: flags.short === true, owner }));
  if (flags.short || session === undefined) return;
  context.terminal.out(`\nTranscript (${flags.full ? "full session" : "checkpoint scope"}):`);
  await printConversation(context, { transcripts, id, session, full: flags.full === true });
}

function chooseSession({ sessions }: Explanation, wanted: string | undefined, id: string): number {
  if (wanted === undefined) return sessions.length - 1;
  const index = sessions.findIndex(({ sessionId }) => sessionId?.startsWith(wanted));
  if (index === -1) {
    const known = sessions.map(({ sessionId }) => sessionId ?? "(unknown)").join(", ");
    throw new KeyframeError("not-found", `checkpoint ${id} has no session ${wanted}`, {
      hint: `it has ${known}`,
    });
  }
  return index;
}

interface Conversation {
  readonly transcripts: TranscriptReader;
  readonly id: Explanation["id"];
  readonly session: ReadSession;
  readonly full: boolean;
}

async function printConversation(
  context: CliContext,
  { transcripts, id, session, full }: Conversation,
): Promise<void> {
  if (session.files.transcript.length === 0) return context.terminal.out("  (none was recorded)");
  const lines = await readConversation(transcripts, id, session, full ? "full" : "checkpoint");
  if (lines === undefined) {
    return context.terminal.out("  (the format of this agent is not known; use --raw-transcript)");
  }
  for await (const line of lines) for (const text of formatConversationLine(line)) context.terminal.out(text);
}

/** Waits where the reader of our output is slower than we are. */
function writeAll({ process }: CliContext, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = process.stdout as unknown as NodeJS.WritableStream;
    stream.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
