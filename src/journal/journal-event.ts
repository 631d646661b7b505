import type { AgentId } from "../agents/agent-event.ts";
import type { RepoPath } from "../git/ids.ts";
import type { OwnerKey } from "./line-owners.ts";
import type { Evidence, PathHead, PathState, StatMark } from "./path-state.ts";

/** One line of the log. Applying an event to a head is pure and gives the next head (head.ts). */
export interface JournalEvent {
  /** Random; the head names the last event that reached it. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly path: RepoPath;
  /**
   * `edit`: an author changed the path. `snapshot`: its state was taken and nobody credited. `begin`: an agent's call
   * on the path began. `carry`: the head came over from the time before a commit.
   */
  readonly kind: "edit" | "snapshot" | "begin" | "carry";
  readonly owner: OwnerKey;
  readonly agent?: AgentId;
  /** `Name <email>` behind an `h_` owner. */
  readonly human?: string;
  readonly evidence?: Evidence;
  readonly subagentId?: string;
  /** Set on `begin`, and on the `edit` or `snapshot` that ends the call. */
  readonly toolUseId?: string;
  /** Digest before; absent where nothing was known. */
  readonly before?: string;
  /** The state after; absent on `begin` if the state was known already. */
  readonly state?: PathState;
  readonly mark?: StatMark;
  /** Who the owners are that the state took from elsewhere: a stash, another path. */
  readonly known?: Pick<PathHead, "agents" | "humans" | "evidence">;
  /** On `carry`: the whole head as it came over. */
  readonly carried?: PathHead;
  /** Lines given to the owner by this edit. */
  readonly takenLines?: number;
  /** By session: lines that this edit took from it. */
  readonly overridden?: Readonly<Record<string, number>>;
}
