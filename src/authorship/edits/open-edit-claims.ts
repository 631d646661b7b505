import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { type OpenEdit, pruneAndListOpenEdits } from "../../journal/calls/open-edits.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { sessionKey } from "../note/keys.ts";
import { editCause, type ObserveDeps } from "./edit-cause.ts";
import { locatePath } from "./locate-path.ts";
import { isUnchanged, type PathSnapshot } from "./path-snapshot.ts";
import type { EditCause } from "./record-edit.ts";

/** What calls of edit tools that are open say about the content of a path. */
export type Claim =
  /** The file holds what this call was to leave there. */
  | { readonly kind: "made"; readonly edit: OpenEdit; readonly cause: EditCause }
  /** A call of another conversation may have written the file, or may still: nobody can say. */
  | { readonly kind: "rival" }
  /** A call of the same conversation that does not tell what it writes: its end says whose the change is. */
  | { readonly kind: "own" }
  | { readonly kind: "none" };

/** Whose a change is, where without open edits it would be `otherwise`'s. */
export function claimedCause(claim: Claim, otherwise: EditCause): EditCause {
  if (claim.kind === "made") return claim.cause;
  return claim.kind === "rival" ? { owner: null } : otherwise;
}

interface EditedFile {
  readonly edit: OpenEdit;
  readonly absolute: string;
  readonly expected: string | undefined;
}

/** A call, as the look that its hook takes knows it. */
interface AskingCall {
  readonly agent: AgentId;
  readonly toolUseId?: string;
}

/**
 * Calls of edit tools that have begun and not ended while somebody else looks at a file: their edits may have landed before
 * their own hook said so, and are then not the work of whoever looks.
 */
export class OpenEditClaims {
  readonly #repository: Repository;
  readonly #asking: AskingCall | undefined;
  readonly #deps: ObserveDeps;
  #known: ReadonlyMap<RepoPath, readonly EditedFile[]> | undefined;

  /** `asking`: the call whose hook looks, or the agent whose other event does. */
  constructor(repository: Repository, asking: AskingCall | undefined, deps: ObserveDeps) {
    this.#repository = repository;
    this.#asking = asking;
    this.#deps = deps;
  }

  /**
   * Of a path whose content is not what the journal knows: what calls besides the asking one say. `head`: what the journal
   * knows of it, where every call's begin is known to be among it.
   */
  claimOf(path: RepoPath, after: PathSnapshot, head?: Pick<PathHead, "begun">): Claim {
    const others = this.#edited(path).filter(({ edit }) => !this.#isAsking(edit));
    const made = others.find((file) => this.#isMade(file, after));
    if (made !== undefined) return { kind: "made", edit: made.edit, cause: editCause(made.edit) };
    // a hook that was killed after the journal had its edit leaves the record of a call that has ended
    const hasEnded = ({ edit }: EditedFile) =>
      head?.begun.some(({ toolUseId }) => toolUseId === edit.toolUseId) === false;
    const rivals = others.filter((file) => !this.#isSameSession(file.edit) && !hasEnded(file));
    if (rivals.some(({ edit }) => isAlive(edit, this.#deps))) return { kind: "rival" };
    // one that tells what it leaves has not left it yet
    const isOwn = others.some(({ edit, expected }) => this.#isSameSession(edit) && expected === undefined);
    return { kind: isOwn ? "own" : "none" };
  }

  /** Whether the file holds what the asking call itself was to leave. */
  isOwnWork(path: RepoPath, after: PathSnapshot): boolean {
    return this.#edited(path).some((file) => this.#isAsking(file.edit) && this.#isMade(file, after));
  }

  /** The SHA-256 of what the asking call was to leave, where it told that. */
  expectedOf(path: RepoPath): string | undefined {
    return this.#edited(path).find(({ edit }) => this.#isAsking(edit))?.expected;
  }

  #edited(path: RepoPath): readonly EditedFile[] {
    this.#known ??= editedFiles(this.#repository, this.#deps);
    return this.#known.get(path) ?? [];
  }

  #isSameSession({ agent }: OpenEdit): boolean {
    return this.#asking !== undefined && sessionKey(agent) === sessionKey(this.#asking.agent);
  }

  #isAsking(edit: OpenEdit): boolean {
    return this.#isSameSession(edit) && edit.toolUseId === this.#asking?.toolUseId;
  }

  #isMade({ absolute, expected }: EditedFile, after: PathSnapshot): boolean {
    if (expected === undefined || after.kind !== "file") return false;
    if (after.digest === expected) return true;
    // git's filters may have made another content of what lies on disk
    const { files } = this.#deps;
    const bytes = files.readIfExists(absolute);
    return bytes !== undefined && sha256Hex(bytes) === expected && isUnchanged(files, absolute, after.mark);
  }
}

function isAlive({ agentProcess }: OpenEdit, { processTable }: ObserveDeps): boolean {
  return agentProcess === undefined || processTable.isRunning(agentProcess);
}

function editedFiles(repository: Repository, deps: ObserveDeps): Map<RepoPath, EditedFile[]> {
  const edited = new Map<RepoPath, EditedFile[]>();
  for (const edit of pruneAndListOpenEdits(repository, deps)) {
    for (const { path: text, expected } of edit.files) {
      const located = locatePath(text, repository.workTree ?? "", deps);
      if (located.kind !== "inside" || located.repository.gitDir !== repository.gitDir) continue;
      const { path, absolute } = located;
      edited.set(path, [...(edited.get(path) ?? []), { edit, absolute, expected }]);
    }
  }
  return edited;
}
