import { join, sep } from "node:path";
import { pendingOwnersOf } from "../../authorship/blame/journal-owners.ts";
import { type LineOwner, openOwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import { type BlameLine, parseBlamePorcelain, textOfBytes } from "../../authorship/blame/porcelain.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { KeyframeError } from "../../base/errors.ts";
import { splitLines } from "../../base/text/lines.ts";
import { openRedactedPrompts } from "../../checkpoints/capture/redacted-prompts.ts";
import { isNullOid, type Oid } from "../../git/ids.ts";
import { fixedLineChoice } from "../../git/objects/line-choice.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { maxLinedFileBytes } from "../../journal/limits.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";
import type { AskContext } from "./ask-context.ts";

/** A line of a file, where it came from, and who owns it. */
export interface OwnedLine {
  /** 1-based. */
  readonly line: number;
  readonly text: string;
  /** Undefined: not committed yet. */
  readonly commit: Oid | undefined;
  readonly author: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly subject: string;
  /** Undefined: nobody knows. */
  readonly owner: KnownOwner | undefined;
}

export interface KnownOwner {
  readonly kind: "agent" | "human";
  /** The tool and its model, or `Name <email>`. */
  readonly name: string;
  /** The conversation's id, of an agent. */
  readonly session?: string;
  /** What the user asked for, where that was recorded here. */
  readonly prompt?: string;
}

export interface FileOwnersRequest {
  /** Relative to the top of the worktree. */
  readonly path: string;
  /** The worktree's file where absent. */
  readonly revision?: string;
  /** 1-based and inclusive; the whole file where absent. */
  readonly range?: { readonly first: number; readonly last: number };
}

/** The lines of a file with their owners. @throws KeyframeError `not-found` */
export async function readFileOwners(
  { git, files }: AskContext,
  request: FileOwnersRequest,
): Promise<OwnedLine[]> {
  const { path, revision, range } = request;
  const args = [
    ...fixedLineChoice,
    "blame",
    "--porcelain",
    ...(range === undefined ? [] : ["-L", `${range.first},${range.last}`]),
  ];
  const what = revision === undefined ? [] : [revision];
  if (revision?.startsWith("-")) throw new KeyframeError("usage", `not a revision: ${revision}`);
  const result = await git.run([...args, ...what, "--", path], { okCodes: [0, 128] });
  const untracked = result.code === 0 ? undefined : readUntracked({ git, files }, request);
  if (result.code !== 0 && untracked === undefined) {
    throw new KeyframeError("not-found", `cannot read ${path}: ${result.stderr.trim().slice(0, 300)}`);
  }
  const lines = untracked ?? parseBlamePorcelain(result.stdout);
  const reader = openObjectReader(git);
  try {
    const pending = revision === undefined ? pendingOwnersOf(git.repository, files) : undefined;
    const lookup = openOwnerLookup(openNoteSource(git, reader, files), pending);
    await lookup.load(lines.map(({ commit }) => commit));
    const findPrompt = openRedactedPrompts(git.repository, files);
    return lines.map((line) => describe(line, lookup.ownerOf(line), findPrompt));
  } finally {
    await reader.close();
  }
}

/** The lines of a file that HEAD does not have yet, which git blames on nobody; undefined if there is none. */
function readUntracked(
  { git, files }: Pick<AskContext, "git" | "files">,
  { path, revision, range }: FileOwnersRequest,
): BlameLine[] | undefined {
  const { workTree } = git.repository;
  if (revision !== undefined || workTree === undefined) return undefined;
  if (pendingOwnersOf(git.repository, files)(path) === undefined) return undefined;
  const absolute = join(workTree, path);
  const real = files.realPathIfExists(absolute);
  const isInside = real?.startsWith(`${files.realPathIfExists(workTree)}${sep}`) === true;
  const stat = files.statIfExists(absolute);
  if (!isInside || stat?.kind !== "file" || stat.sizeBytes > maxLinedFileBytes) return undefined;
  const { first, last } = range ?? { first: 1, last: Number.POSITIVE_INFINITY };
  return splitLines(files.read(absolute))
    .map((content, index) => ({
      commit: "0".repeat(40) as Oid,
      path,
      line: index + 1,
      finalLine: index + 1,
      contentBytes: content.toString("latin1").replace(/\r?\n$/, ""),
      details: new Map<string, string>(),
    }))
    .slice(first - 1, last);
}

function describe(line: BlameLine, owned: LineOwner | undefined, findPrompt: PromptFinder): OwnedLine {
  const detail = (name: string) => textOfBytes(line.details.get(name) ?? "");
  return {
    line: line.finalLine,
    text: textOfBytes(line.contentBytes),
    commit: isNullOid(line.commit) ? undefined : line.commit,
    author: detail("author"),
    time: Number(line.details.get("author-time") ?? 0),
    subject: detail("summary"),
    owner: owned === undefined ? undefined : describeOwner(owned, findPrompt),
  };
}

function describeOwner({ owner }: LineOwner, findPrompt: PromptFinder): KnownOwner {
  if (owner.kind === "human") return { kind: "human", name: owner.identity };
  const { agent, session, trace } = owner;
  const prompt = trace === undefined ? undefined : findPrompt(session, trace);
  return {
    kind: "agent",
    name: [agent.tool, agent.model].filter((part) => part !== "" && part !== "unknown").join(" "),
    session: agent.id,
    ...(prompt === undefined ? {} : { prompt }),
  };
}
