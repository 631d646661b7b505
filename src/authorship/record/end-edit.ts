import type { AgentEvent } from "../../agents/agent-event.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { OpenEdit } from "../../journal/calls/open-edits.ts";
import type { Journal } from "../../journal/log/journal.ts";
import type { OpenEditClaims } from "../edits/open-edit-claims.ts";
import { type PathSnapshot, snapshotContent } from "../edits/path-snapshot.ts";
import { type PathEdit, recordEdit } from "../edits/record-edit.ts";

type EditEnd = Extract<AgentEvent, { readonly kind: "after-edit" }>;

export interface EndedEdit extends PathEdit {
  readonly claims: OpenEditClaims;
}

export interface EndedResult {
  readonly result: ReturnType<typeof recordEdit>;
  /** The call of another conversation that the change was found to be of. */
  readonly madeBy?: OpenEdit;
}

/**
 * Records what a call of an edit tool did to a path. That is what changed since it began, but where another call is open on
 * the same file, or the hook was not waited for: then only what this call is known to have left is its work.
 */
export function recordEndedEdit(journal: Journal, event: EditEnd, ended: EndedEdit): EndedResult {
  const { claims, ...edit } = ended;
  const { path, after } = edit;
  const head = journal.head(path);
  const nobody = { owner: null, toolUseId: event.toolUseId };
  const isLate = event.endedByMs !== undefined;
  if (isLate && head?.begun.every(({ toolUseId }) => toolUseId !== event.toolUseId) !== false)
    // another event has settled it: what the file holds besides came later
    return { result: "unchanged" };
  if (head?.current.digest === after.digest || claims.isOwnWork(path, after))
    return { result: recordEdit(journal, edit) };
  const claim = claims.claimOf(path, after, head);
  if (claim.kind === "made") {
    const result = recordEdit(journal, { ...edit, cause: claim.cause });
    recordEdit(journal, { path, after, cause: nobody });
    return result === "credited" ? { result: "unchanged", madeBy: claim.edit } : { result: "unchanged" };
  }
  if (!isLate && claim.kind !== "rival") return { result: recordEdit(journal, edit) };
  // calls of its own conversation in the same file are not told apart: the next one's work would be nobody's
  const isAlone = claim.kind === "rival" || head?.begun.length === 1;
  const left = isAlone ? leftByCall(journal, path, { event, after }) : undefined;
  if (left !== undefined) {
    const result = recordEdit(journal, { ...edit, after: left });
    // whoever wrote the rest did so beside the call, or between it and its hook
    recordEdit(journal, { path, after, cause: { owner: null } });
    return { result };
  }
  const wasSettled = claims.expectedOf(path) === head?.current.digest;
  const isLater = isLate && after.mark !== undefined && after.mark.ctimeMs > (event.endedByMs ?? 0);
  if (claim.kind !== "rival" && !wasSettled && !isLater) return { result: recordEdit(journal, edit) };
  recordEdit(journal, { ...edit, cause: nobody });
  return { result: "unchanged" };
}

/** What the call was to leave in the file; undefined where that cannot be told. */
function leftByCall(
  journal: Journal,
  path: RepoPath,
  { event, after }: { readonly event: EditEnd; readonly after: PathSnapshot },
): PathSnapshot | undefined {
  const head = journal.head(path);
  const isBegun = head?.begun.some(({ toolUseId }) => toolUseId === event.toolUseId) === true;
  if (event.expected === undefined || !isBegun || after.kind !== "file") return undefined;
  const isText = head.current.kind === "file" && head.current.unlined === undefined;
  const before = isText ? journal.content(head, head.current)?.toString("utf8") : undefined;
  const text = event.expected(before);
  return text === undefined ? undefined : snapshotContent(Buffer.from(text), after.mode);
}
