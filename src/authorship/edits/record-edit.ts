import type { RepoPath } from "../../git/ids.ts";
import { joinAgents } from "../../journal/join-agents.ts";
import type { Journal, NewEvent } from "../../journal/log/journal.ts";
import type { PathHead, PathState } from "../../journal/path-state.ts";
import { type Origins, traceEdit } from "../rules/origins.ts";
import { applyEdit, type EditResult, type OwnedContent } from "../rules/ownership.ts";
import { type PathSnapshot, stateOf, uniformRuns } from "./path-snapshot.ts";

/** Who edits, and how it was seen. Null owner: nobody is credited. */
export type EditCause = Pick<NewEvent, "owner" | "agent" | "human" | "evidence" | "subagentId" | "toolUseId">;

export interface PathEdit {
  readonly path: RepoPath;
  readonly after: PathSnapshot;
  readonly cause: EditCause;
  /** What stood here where the journal does not know: nobody's lines. Undefined: not known either. */
  readonly baseline?: PathSnapshot;
  /**
   * What existed before a shell call, which anything may have brought back. Undefined for an edit tool: it writes its
   * text itself.
   */
  readonly earlier?: EarlierContent;
}

export interface EarlierContent {
  /** True if git held the whole new content before. */
  readonly isWhole: boolean;
  /** Contents of the path in git, as far as it may have taken lines from them: nobody's here, settling knows more. */
  readonly versions: readonly Buffer[];
  /** States of paths whose owners are known, and who those are. */
  readonly states: readonly OwnedState[];
}

export interface OwnedState extends OwnedContent {
  readonly known: Pick<PathHead, "agents" | "humans" | "evidence">;
}

/**
 * Records that a path went from its last known state to a new one, and who did it. Nothing is recorded if it is the
 * same. With neither a known state nor a baseline nobody can be credited. Returns whether lines were credited.
 */
export function recordEdit(journal: Journal, edit: PathEdit): "credited" | "unchanged" | "uncredited" {
  const { path, after, cause } = edit;
  const head = journal.head(path);
  const before = head?.current ?? edit.baseline;
  const isSame = before !== undefined && before.digest === after.digest && before.kind === after.kind;
  if (isSame && before.mode === after.mode) {
    if (head === undefined) return "unchanged";
    const endsCall =
      cause.toolUseId !== undefined && head.begun.some((call) => call.toolUseId === cause.toolUseId);
    const event: NewEvent = { ...snapshotEvent(edit), ...(after.mark ? { mark: after.mark } : {}) };
    if (endsCall) journal.record(event);
    return "unchanged";
  }
  const known = head === undefined ? baselineContent(edit.baseline) : headContent(journal, head);
  if (known === undefined) {
    const state = stateOf(after, uniformRuns(after, null));
    journal.record(
      { ...snapshotEvent(edit), ...(after.mark ? { mark: after.mark } : {}), state },
      after.content,
    );
    return "uncredited";
  }
  const kind =
    cause.evidence === "save" || cause.evidence === "stated" || cause.owner === null ? "person" : "agent";
  const made = applyEdit(known, linedContent(after), { author: cause.owner, kind });
  const { result, author } = judge(journal, edit, { made, isSame });
  const explained = edit.earlier?.states.map((state) => state.known) ?? [];
  journal.record(
    {
      ...(author === null
        ? { owner: null, ...(cause.toolUseId ? { toolUseId: cause.toolUseId } : {}) }
        : cause),
      path,
      kind: "edit",
      ...(before === undefined ? {} : { before: before.digest }),
      state: stateOf(after, result.runs),
      ...(after.mark ? { mark: after.mark } : {}),
      takenLines: result.takenLines,
      overridden: Object.fromEntries(result.overridden),
      ...(explained.length > 0 ? { known: mergeKnown(explained) } : {}),
    },
    after.content,
  );
  return author === null ? "uncredited" : "credited";
}

/** What of an edit is its author's, once the lines that existed before are taken out; null author if nothing is. */
function judge(
  journal: Journal,
  { path, after, cause, earlier }: PathEdit,
  { made, isSame }: { readonly made: EditResult; readonly isSame: boolean },
): { readonly result: EditResult; readonly author: PathEdit["cause"]["owner"] } {
  if (earlier === undefined || isSame) return { result: made, author: cause.owner };
  const traced = traceEdit(made, linedContent(after), originsOf(journal, path, earlier));
  const isOnlyBrought = traced.takenLines === 0 && (traced.broughtLines > 0 || earlier.isWhole);
  return isOnlyBrought
    ? { result: { ...traced, overridden: new Map() }, author: null }
    : { result: traced, author: cause.owner };
}

function originsOf(journal: Journal, path: RepoPath, { isWhole, versions, states }: EarlierContent): Origins {
  const head = journal.head(path);
  const own = (head?.earlier ?? []).flatMap((state) => {
    const content = head && state.unlined === undefined ? journal.content(head, state) : undefined;
    return content === undefined ? [] : [{ content, runs: state.runs }];
  });
  const unowned = versions.map((content) => ({ content, runs: [] }));
  return { isWhole, contents: [...own, ...states, ...unowned] };
}

function mergeKnown(known: readonly OwnedState["known"][]): OwnedState["known"] {
  return {
    agents: joinAgents(...known.map(({ agents }) => agents)),
    humans: Object.assign({}, ...known.map(({ humans }) => humans)),
    evidence: Object.assign({}, ...known.map(({ evidence }) => evidence)),
  };
}

/** Takes the state of a path of which the journal knows nothing yet: nobody's lines, to compare a later one with. */
export function recordLook(journal: Journal, path: RepoPath, after: PathSnapshot): void {
  if (journal.head(path) !== undefined) return;
  const state = stateOf(after, uniformRuns(after, null));
  const mark = after.mark ? { mark: after.mark } : {};
  journal.record({ path, kind: "snapshot", owner: null, state, ...mark }, after.content);
}

/** Takes the state of a path before a person changes it; what changed since the last one is `cause.owner`'s. */
export function recordBefore(journal: Journal, edit: PathEdit): void {
  if (journal.head(edit.path) === undefined) recordLook(journal, edit.path, edit.after);
  else recordEdit(journal, edit);
}

/** Records that a file now stands at another path: its lines go with it. */
export function recordRename(
  journal: Journal,
  { from, to }: { readonly from: PathHead; readonly to: RepoPath },
  { state, content }: { readonly state: PathState; readonly content: Uint8Array | undefined },
): void {
  const carried: PathHead = { ...from, path: to, current: state, earlier: [], begun: [], mark: null };
  journal.record({ path: to, kind: "carry", owner: null, carried }, content);
}

/** Takes the state of a path before an agent's call; what changed since the last one is `cause.owner`'s. */
export function recordBegin(journal: Journal, edit: PathEdit & { readonly toolUseId: string }): void {
  const { path, after, cause } = edit;
  const head = journal.head(path);
  if (head === undefined) {
    const state = stateOf(after, uniformRuns(after, null));
    journal.record(
      {
        path,
        kind: "begin",
        owner: null,
        toolUseId: edit.toolUseId,
        state,
        ...(after.mark ? { mark: after.mark } : {}),
      },
      after.content,
    );
    return;
  }
  const { toolUseId: _ended, ...since } = cause;
  recordEdit(journal, { path, after, cause: since, ...(edit.earlier ? { earlier: edit.earlier } : {}) });
  journal.record({ path, kind: "begin", owner: null, toolUseId: edit.toolUseId });
}

function snapshotEvent({ path, cause }: PathEdit): NewEvent {
  return { path, kind: "snapshot", owner: null, ...(cause.toolUseId ? { toolUseId: cause.toolUseId } : {}) };
}

function headContent(journal: Journal, head: PathHead): OwnedContent | undefined {
  const { current } = head;
  if (current.kind === "absent" || current.unlined !== undefined)
    return { content: Buffer.alloc(0), runs: [] };
  const content = journal.content(head, current);
  return content === undefined ? undefined : { content, runs: current.runs };
}

function baselineContent(baseline: PathSnapshot | undefined): OwnedContent | undefined {
  if (baseline === undefined) return undefined;
  return { content: linedContent(baseline), runs: uniformRuns(baseline, null) };
}

/** Text to compare by lines; nothing for what has none. */
function linedContent(capture: PathSnapshot): Buffer {
  return capture.unlined === undefined ? (capture.content ?? Buffer.alloc(0)) : Buffer.alloc(0);
}
