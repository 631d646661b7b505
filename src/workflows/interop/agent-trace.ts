import type { AuthorshipLog } from "../../authorship/note/log.ts";
import { normalisePath, ownersByPath } from "../../authorship/note/log.ts";
import { type Owner, resolveOwner } from "../../authorship/note/owners.ts";
import {
  clipRuns,
  type LineRange,
  type OwnerRun,
  uncoveredRanges,
} from "../../authorship/rules/owner-runs.ts";
import { sha256Hex } from "../../base/digest.ts";
import { keyframeVersion } from "../../base/version.ts";

/** What one commit adds, with its note. */
export interface TracedCommit {
  readonly commit: string;
  /** RFC 3339, when it was committed. */
  readonly at: string;
  readonly checkpoints: readonly string[];
  /** Lines that the commit itself adds, by path. */
  readonly added: ReadonlyMap<string, readonly LineRange[]>;
  readonly log: AuthorshipLog;
}

interface Contributor {
  readonly type: "ai" | "human" | "unknown";
  readonly model_id?: string;
}

/**
 * A record of Agent Trace 0.1.0 for one commit: its added lines by contributor, at the lines that they have in it. Lines
 * without an owner are `unknown`. What the format has no field for stands below our own name in `metadata`. Pure.
 */
export function traceRecord({ commit, at, checkpoints, added, log }: TracedCommit): object | undefined {
  const owners = ownersByPath(log);
  const files = [...added].flatMap(([path, ranges]) => {
    if (ranges.length === 0) return [];
    const runs = clipRuns(owners.get(normalisePath(path))?.runs ?? [], ranges);
    return [{ path, conversations: conversationsOf(runs, ranges, { log, checkpoints }) }];
  });
  if (files.length === 0) return undefined;
  return {
    version: "0.1.0",
    id: uuidOf(commit),
    timestamp: at,
    vcs: { type: "git", revision: commit },
    tool: { name: "keyframe", version: keyframeVersion },
    files,
    metadata: { "dev.keyframe": { checkpoints } },
  };
}

function conversationsOf(
  runs: readonly OwnerRun[],
  ranges: readonly LineRange[],
  { log, checkpoints }: { readonly log: AuthorshipLog; readonly checkpoints: readonly string[] },
): object[] {
  const groups = new Map<string, { owner: Owner | undefined; ranges: LineRange[] }>();
  const add = (owner: Owner | undefined, { first, last }: LineRange) => {
    const name =
      owner === undefined ? "" : owner.kind === "human" ? owner.key : `${owner.session} ${owner.agent.model}`;
    const group = groups.get(name) ?? { owner, ranges: [] };
    group.ranges.push({ first, last });
    groups.set(name, group);
  };
  for (const run of runs) add(resolveOwner(log.metadata, run.key), run);
  for (const range of uncoveredRanges(ranges, runs)) add(undefined, range);
  return [...groups.values()].map(({ owner, ranges: own }) => ({
    ...(owner?.kind === "agent" && owner.agent.id !== ""
      ? { url: `keyframe://session/${encodeURIComponent(owner.agent.id)}` }
      : {}),
    contributor: contributorOf(owner),
    ranges: own
      .sort((a, b) => a.first - b.first)
      .map(({ first, last }) => ({ start_line: first, end_line: last })),
    ...(owner?.kind === "agent" && checkpoints.length > 0
      ? { related: checkpoints.map((id) => ({ type: "checkpoint", url: `keyframe://checkpoint/${id}` })) }
      : {}),
  }));
}

function contributorOf(owner: Owner | undefined): Contributor {
  if (owner === undefined) return { type: "unknown" };
  if (owner.kind === "human") return { type: "human" };
  const model = modelId(owner.agent.model);
  return { type: "ai", ...(model === undefined ? {} : { model_id: model }) };
}

const maxModelLength = 250;
const families: readonly (readonly [RegExp, string])[] = [
  [/^claude/, "anthropic"],
  [/^(gpt|o\d|codex|chatgpt)/, "openai"],
  [/^gemini/, "google"],
  [/^(qwen|qwq)/, "alibaba"],
  [/^(mistral|codestral|devstral)/, "mistral"],
  [/^grok/, "xai"],
  [/^kimi/, "moonshotai"],
];

/** `provider/model`, where the model's family tells the provider; a model that names one already stays as it is. */
function modelId(model: string): string | undefined {
  const name = model.trim();
  if (name === "" || name === "unknown" || name.length > maxModelLength) return undefined;
  if (name.includes("/")) return name;
  const provider = families.find(([family]) => family.test(name.toLowerCase()))?.[1];
  return provider === undefined ? undefined : `${provider}/${name}`;
}

/** The same for the same commit: an export that is made again replaces what it made before. */
function uuidOf(commit: string): string {
  const hex = sha256Hex(`agent-trace ${commit}`);
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
