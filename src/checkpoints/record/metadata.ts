import { maxListedFields } from "./limits.ts";
import { machineField, parseStoredMachine, type StoredMachine } from "./stored-machine.ts";
import { parseTokenUsage, type TokenUsage } from "./token-usage.ts";

/** The fields of a checkpoint's own `metadata.json` that we show; whatever else it holds is kept on rewrite. */
export interface RootMetadata {
  readonly strategy: string | undefined;
  readonly branch: string | undefined;
  readonly cliVersion: string | undefined;
  readonly stepCount: number;
  readonly filesTouched: readonly string[];
  /** In stored order; any path may be absent or empty. */
  readonly sessions: readonly SessionPaths[];
  readonly tokenUsage: TokenUsage | undefined;
  readonly imported: boolean;
  /** The commit that the record is of, where the commit does not name the record. */
  readonly commit: string | undefined;
}

/** Paths from the root of the store's tree, as stored. */
export interface SessionPaths {
  readonly metadata: string | undefined;
  readonly transcript: string | undefined;
  readonly compact: string | undefined;
  readonly contentHash: string | undefined;
  readonly prompt: string | undefined;
  readonly context: string | undefined;
}

/** The fields of a session's `metadata.json` that we show. */
export interface SessionMetadata {
  readonly sessionId: string | undefined;
  readonly createdAt: string | undefined;
  readonly branch: string | undefined;
  readonly agent: string | undefined;
  readonly model: string | undefined;
  readonly kind: string | undefined;
  readonly isTask: boolean;
  readonly toolUseId: string | undefined;
  readonly stepCount: number;
  readonly filesTouched: readonly string[];
  /** Where the checkpoint begins in the transcript: lines, or messages where the transcript is one document. */
  readonly transcriptStart: number;
  /** The same in the compact transcript; undefined: it was not written. */
  readonly compactStart: number | undefined;
  readonly tokenUsage: TokenUsage | undefined;
  /** True: of this checkpoint alone. Otherwise they may be those of the session so far. */
  readonly countsItsOwnTokens: boolean;
  readonly summary: Summary | undefined;
  /** What the agent itself calls the conversation. */
  readonly agentSummary: string | undefined;
  /** The machine that can be had from a store of images. */
  readonly machine: StoredMachine | undefined;
}

/** A member that other writers of the format do not have. */
export const agentSummaryField = "agent_summary";

export interface Summary {
  readonly intent: string | undefined;
  readonly outcome: string | undefined;
  readonly repoLearnings: readonly string[];
  readonly codeLearnings: readonly {
    readonly path: string;
    readonly line: number | undefined;
    readonly finding: string;
  }[];
  readonly workflowLearnings: readonly string[];
  readonly friction: readonly string[];
  readonly openItems: readonly string[];
}

/** Undefined: not a JSON object. Fields of another type than expected count as absent. */
export function parseRootMetadata(content: Buffer): RootMetadata | undefined {
  const fields = parseFields(content);
  if (fields === undefined) return undefined;
  return {
    strategy: text(fields["strategy"]),
    branch: text(fields["branch"]),
    cliVersion: text(fields["cli_version"]),
    stepCount: count(fields["checkpoints_count"]),
    filesTouched: texts(fields["files_touched"]),
    sessions: list(fields["sessions"]).map(parseSessionPaths),
    tokenUsage: parseTokenUsage(fields["token_usage"]),
    imported: fields["imported"] === true,
    commit: text(fields["commit_sha"]),
  };
}

function parseSessionPaths(value: unknown): SessionPaths {
  const fields = asFields(value) ?? {};
  return {
    metadata: text(fields["metadata"]),
    transcript: text(fields["transcript"]),
    compact: text(fields["compact_transcript"]),
    contentHash: text(fields["content_hash"]),
    prompt: text(fields["prompt"]),
    context: text(fields["context"]),
  };
}

/** Undefined: not a JSON object. */
export function parseSessionMetadata(content: Buffer): SessionMetadata | undefined {
  const fields = parseFields(content);
  if (fields === undefined) return undefined;
  return {
    sessionId: text(fields["session_id"]),
    createdAt: text(fields["created_at"]),
    branch: text(fields["branch"]),
    agent: text(fields["agent"]) ?? text(fields["agents"]),
    model: text(fields["model"]),
    kind: text(fields["kind"]),
    isTask: fields["is_task"] === true,
    toolUseId: text(fields["tool_use_id"]),
    stepCount: count(fields["checkpoints_count"]) || count(fields["steps_count"]),
    filesTouched: texts(fields["files_touched"]),
    transcriptStart:
      count(fields["checkpoint_transcript_start"]) || count(fields["transcript_lines_at_start"]),
    compactStart:
      fields["compact_transcript_start"] === undefined
        ? undefined
        : count(fields["compact_transcript_start"]),
    tokenUsage: parseTokenUsage(fields["token_usage"]),
    countsItsOwnTokens: count(fields["token_usage_version"]) === 2,
    summary: parseSummary(fields["summary"]),
    agentSummary: text(fields[agentSummaryField]),
    machine: parseStoredMachine(fields[machineField]),
  };
}

function parseSummary(value: unknown): Summary | undefined {
  const fields = asFields(value);
  if (fields === undefined) return undefined;
  const learnings = asFields(fields["learnings"]) ?? {};
  return {
    intent: text(fields["intent"]),
    outcome: text(fields["outcome"]),
    repoLearnings: texts(learnings["repo"]),
    codeLearnings: list(learnings["code"]).flatMap((item) => {
      const code = asFields(item);
      const finding = text(code?.["finding"]);
      if (finding === undefined) return [];
      return [{ path: text(code?.["path"]) ?? "", line: count(code?.["line"]) || undefined, finding }];
    }),
    workflowLearnings: texts(learnings["workflow"]),
    friction: texts(fields["friction"]),
    openItems: texts(fields["open_items"]),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parseFields(content: Buffer): Fields | undefined {
  try {
    return asFields(JSON.parse(content.toString("utf8")));
  } catch {
    return undefined; // reported by the caller as damaged
  }
}

function asFields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function texts(value: unknown): string[] {
  return list(value).filter((item) => typeof item === "string");
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, maxListedFields) : [];
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : 0;
}
