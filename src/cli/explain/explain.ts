import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { openRedactedPrompts } from "../../checkpoints/capture/redacted-prompts.ts";
import { type Explanation, explainCheckpoint, readConversation } from "../../checkpoints/query/explain.ts";
import {
  createLineOwnerLookup,
  type ExplainedLineOwner,
  parseLineOfFile,
} from "../../checkpoints/query/line-owner.ts";
import { listCheckpointPlaces, type ReadSession } from "../../checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader, type TranscriptReader } from "../../checkpoints/query/read-transcript.ts";
import { type ResolvedCheckpoint, resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import { resolveLine } from "../../checkpoints/query/resolve-line.ts";
import type { StoreKind } from "../../checkpoints/record/checkpoint-tree.ts";
import type { CheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import type { Git } from "../../git/git.ts";
import { listTriedLanes } from "../../workflows/ask/earlier-attempts.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { describeAttempt } from "../output/attempt-text.ts";
import { exactOutput, printable, printableText } from "../output/terminal.ts";
import { explainBranch } from "./branch.ts";
import { chooseSession } from "./choose-session.ts";
import {
  type ExplainFormat,
  formatMarkdown,
  formatTrajectory,
  formatWithin,
  takeAll,
} from "./conversation-formats.ts";
import { formatConversationLine, formatExplanation } from "./format.ts";
import { summarizeFirst } from "./summarize.ts";

export interface ExplainFlags {
  readonly session?: string;
  readonly short?: boolean;
  readonly full?: boolean;
  readonly rawTranscript?: boolean;
  readonly json?: boolean;
  readonly format?: ExplainFormat;
  readonly budget?: number;
  readonly summarize?: boolean;
}

/** Explains what a word means; without one, the branch. */
export async function explain(this: CliContext, given: ExplainFlags, word?: string): Promise<void> {
  const flags = given.format === "json" ? { ...given, json: true } : given;
  if (flags.budget !== undefined && !(Number.isSafeInteger(flags.budget) && flags.budget > 0))
    throw new KeyframeError("usage", "--budget takes a positive number of tokens");
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  if (flags.summarize) {
    await summarizeFirst(this, { ...flags, word });
    return explain.call(this, { ...given, summarize: false }, word);
  }
  if (word === undefined) return explainBranch(this, { git, stores, json: flags.json === true });
  const at = parseLineOfFile(word);
  const owner =
    at === undefined
      ? undefined
      : await createLineOwnerLookup({
          git,
          cwd: this.cwd,
          files: this.files,
          findPrompt: openRedactedPrompts(git.repository, this.files),
        })(at);
  if (at !== undefined && owner === undefined) {
    throw new KeyframeError("not-found", `line ${at.line} of ${at.path} is not committed yet`);
  }
  const found = await this.trace.span("resolve", () =>
    resolveLinked(this, { git, stores, word, owner, json: flags.json === true }),
  );
  if (found === undefined) return;
  const transcripts = openTranscriptReader(git);
  try {
    for (const [index, resolved] of found.entries()) {
      if (index > 0 && !flags.json && !flags.rawTranscript) this.terminal.out("");
      await explainOne(this, { git, stores, transcripts, resolved, owner, flags });
    }
    if (!flags.json && !flags.rawTranscript && flags.format === undefined)
      noteEarlierAttempts(this, git, { word, path: owner?.path });
  } finally {
    await transcripts.close();
  }
}

/** What was tried at the line's file and not kept, or that the commit is such an attempt. */
function noteEarlierAttempts(
  { files, terminal }: CliContext,
  git: Git,
  { word, path }: { readonly word: string; readonly path: string | undefined },
): void {
  const lanes = listTriedLanes({ git, files }, path === undefined ? {} : { path });
  const meant = path === undefined ? lanes.filter(({ commit }) => isPrefixOf(word, commit)) : lanes;
  for (const attempt of meant.slice(0, maxAttempts)) terminal.note(describeAttempt(attempt));
}

const maxAttempts = 3;

function isPrefixOf(word: string, commit: string | undefined): boolean {
  return /^[0-9a-f]{7,}$/.test(word) && commit?.startsWith(word) === true;
}

/** Undefined where a line has an owner and its commit no conversation: then what is known of the owner was printed. */
async function resolveLinked(
  context: CliContext,
  subject: {
    readonly git: Git;
    readonly stores: CheckpointStores;
    readonly word: string;
    readonly owner: ExplainedLineOwner | undefined;
    readonly json: boolean;
  },
): Promise<readonly ResolvedCheckpoint[] | undefined> {
  const { git, stores, word, owner, json } = subject;
  try {
    const { files } = context;
    if (owner === undefined) return await resolveCheckpoints({ git, stores, files }, word);
    return await resolveLine({ git, files, places: await listCheckpointPlaces(stores) }, owner);
  } catch (error) {
    if (!isKeyframeError(error, "not-found") || owner?.sessionId === undefined) throw error;
    if (json) context.terminal.json({ owner });
    else {
      context.terminal.out(`Commit: ${owner.commit}`);
      context.terminal.out(`Session: ${printable(owner.sessionId)}`);
      if (owner.prompt !== undefined)
        context.terminal.out(`Prompt of this line: ${printableText(owner.prompt)}`);
      context.terminal.note("no conversation is linked to the commit");
    }
    return undefined;
  }
}

interface Subject {
  readonly git: Git;
  readonly stores: CheckpointStores;
  readonly transcripts: TranscriptReader;
  readonly resolved: ResolvedCheckpoint;
  readonly owner: ExplainedLineOwner | undefined;
  readonly flags: ExplainFlags;
}

async function explainOne(
  context: CliContext,
  { git, stores, transcripts, resolved, owner, flags }: Subject,
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
  const { explanation, sessions } = await context.trace.span("explain", () =>
    explainCheckpoint(git, id, places, stores),
  );
  // the line's session may be in another checkpoint of the commit, or in none
  const ownerSession = explanation.sessions.some(({ sessionId }) => sessionId === owner?.sessionId);
  const wanted = flags.session ?? (ownerSession ? owner?.sessionId : undefined);
  const chosen = chooseSession(explanation, wanted, id);
  const session = sessions[chosen];
  if (flags.rawTranscript) {
    if (session === undefined) throw new KeyframeError("not-found", `checkpoint ${id} has no session`);
    for await (const piece of transcripts.open(id, session.files)) await writeAll(context, piece);
    return;
  }
  const [{ store }] = places;
  const scope = flags.full ? "full" : "checkpoint";
  const conversation = () =>
    session === undefined || session.files.transcript.length === 0
      ? undefined
      : readConversation(transcripts, id, session, { scope, store });
  if (flags.format === "md" || flags.format === "atif") {
    const lines = await takeAll(conversation() ?? nothing());
    if (flags.format === "atif")
      return context.terminal.json(formatTrajectory(explanation, { chosen, lines }));
    for (const text of formatMarkdown(explanation, { chosen, lines })) context.terminal.out(text);
    return;
  }
  if (flags.json) {
    const lines = flags.format === "json" ? { conversation: await takeAll(conversation() ?? nothing()) } : {};
    return context.terminal.json({ ...explanation, ...(owner === undefined ? {} : { owner }), ...lines });
  }
  if (resolved.link !== undefined && resolved.link !== "trailer")
    context.terminal.note(linkNotes[resolved.link]);
  context.terminal.out(formatExplanation(explanation, { chosen, short: flags.short === true, owner }));
  if (flags.short || session === undefined) return;
  context.terminal.out(`\nTranscript (${flags.full ? "full session" : "checkpoint scope"}):`);
  if (flags.budget !== undefined) {
    for (const text of formatWithin(await takeAll(conversation() ?? nothing()), flags.budget))
      context.terminal.out(text);
    return;
  }
  await context.trace.span("transcript", () =>
    printConversation(context, { transcripts, id, session, store, full: flags.full === true }),
  );
}

async function* nothing(): AsyncGenerator<never> {
  // no transcript, or none whose format is known
}

const linkNotes = {
  record: "linked by its record: no hook saw the commit",
  owners: "linked by the owners of its lines: no trailer names it",
  tree: "linked by commits that end in the same tree: no trailer names it",
};

interface Conversation {
  readonly transcripts: TranscriptReader;
  readonly id: Explanation["id"];
  readonly session: ReadSession;
  readonly store: StoreKind;
  readonly full: boolean;
}

async function printConversation(
  context: CliContext,
  { transcripts, id, session, store, full }: Conversation,
): Promise<void> {
  if (session.files.transcript.length === 0) return context.terminal.out("  (none was recorded)");
  const lines = readConversation(transcripts, id, session, { scope: full ? "full" : "checkpoint", store });
  if (lines === undefined) {
    return context.terminal.out("  (the format of this agent is not known; use --raw-transcript)");
  }
  for await (const line of lines) for (const text of formatConversationLine(line)) context.terminal.out(text);
}

/** Waits where the reader of our output is slower than we are. */
function writeAll({ process, terminal }: CliContext, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = process.stdout as unknown as NodeJS.WritableStream;
    stream.write(exactOutput(terminal, piece), (error) => (error ? reject(error) : resolve()));
  });
}
