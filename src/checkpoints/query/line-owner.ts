import type { AgentId } from "../../agents/agent-event.ts";
import { openOwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import { type BlameLine, parseBlamePorcelain } from "../../authorship/blame/porcelain.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isNullOid, type Oid } from "../../git/ids.ts";
import { fixedLineChoice } from "../../git/objects/line-choice.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";
import type { Files } from "../../system/files/files.ts";
import { findTwins } from "./same-tree.ts";

/** A line of a file in the working tree, 1-based. */
export interface LineOfFile {
  readonly path: string;
  readonly line: number;
}

/** Who a line belongs to, as far as is known. */
export interface ExplainedLineOwner {
  /** The commit that brought the line in. */
  readonly commit: Oid;
  /** The line's file in that commit, and what it says, one character a byte. */
  readonly path: string;
  readonly text: string;
  /** The conversation's agent, and the call that wrote the line (`t_...`). */
  readonly agent?: Pick<AgentId, "tool" | "id">;
  readonly trace?: string;
  /** The conversation, where authorship was recorded line by line. */
  readonly sessionId?: string;
  /** What the user asked for, where it is known. */
  readonly prompt?: string;
}

/** Undefined: the line is not committed yet. */
export type LineOwnerLookup = (at: LineOfFile) => Promise<ExplainedLineOwner | undefined>;

/** `src/a.ts:12`; undefined for anything else. */
export function parseLineOfFile(word: string): LineOfFile | undefined {
  const match = /^(.+):([1-9]\d{0,8})$/.exec(word);
  return match?.[1] === undefined ? undefined : { path: match[1], line: Number(match[2]) };
}

export interface LineOwnerDeps {
  readonly git: Git;
  /** Directory that paths are relative to. */
  readonly cwd: string;
  readonly files: Files;
  readonly findPrompt: PromptFinder;
}

/**
 * The commit that git blames, with the session that its note names for the line, and the prompt as recorded here. A
 * commit without a note, such as a squash that a server made, is followed to commits that end in the same tree.
 */
export function createLineOwnerLookup({ git, cwd, files, findPrompt }: LineOwnerDeps): LineOwnerLookup {
  const ownerAt = async (origin: BlameLine): Promise<ExplainedLineOwner> => {
    const reader = openObjectReader(git);
    try {
      const lookup = openOwnerLookup(openNoteSource(git, reader, files));
      await lookup.load([origin.commit]);
      const owned = lookup.ownerOf(origin)?.owner;
      const { commit, path } = origin;
      const known = { commit, path, text: origin.contentBytes };
      if (owned?.kind !== "agent") return known;
      const prompt = owned.trace === undefined ? undefined : findPrompt(owned.session, owned.trace);
      return {
        ...known,
        sessionId: owned.agent.id,
        agent: { tool: owned.agent.tool, id: owned.agent.id },
        ...(owned.trace === undefined ? {} : { trace: owned.trace }),
        ...(prompt === undefined ? {} : { prompt }),
      };
    } finally {
      await reader.close();
    }
  };
  return async ({ path, line }) => {
    const args = ["-C", cwd, ...fixedLineChoice, "blame", "--porcelain", "-L", `${line},${line}`, "--", path];
    const result = await git.run(args, { okCodes: [0, 128] });
    if (result.code !== 0) {
      const why = result.stderr.trim().slice(0, 300);
      throw new KeyframeError("not-found", `cannot find line ${line} of ${path}: ${why}`);
    }
    const [origin] = parseBlamePorcelain(result.stdout);
    if (origin === undefined || isNullOid(origin.commit)) return undefined;
    const owner = await ownerAt(origin);
    if (owner.agent !== undefined) return owner;
    for (const [twin] of await findTwins(git, origin.commit)) {
      const [behind] = twin === undefined ? [] : await blameAt(git, twin, origin);
      const found = behind === undefined ? undefined : await ownerAt(behind);
      if (found?.agent !== undefined) return found;
    }
    return owner;
  };
}

async function blameAt(git: Git, commit: Oid, { path, line }: BlameLine): Promise<BlameLine[]> {
  const args = [
    ...fixedLineChoice,
    "blame",
    "--porcelain",
    "-L",
    `${line},${line}`,
    commit,
    "--",
    `:(top,literal)${path}`,
  ];
  const result = await git.run(args, { okCodes: [0, 128] });
  return result.code === 0 ? parseBlamePorcelain(result.stdout) : [];
}
