import type { AgentId } from "../agents/agent-event.ts";
import type { RepoPath } from "../git/ids.ts";
import type { LineOwnerRun } from "./line-owners.ts";

/** What a path held at one moment, and who owns its lines. */
export interface PathState {
  readonly kind: "file" | "symlink" | "absent";
  /** Permission bits of a file; 0 otherwise. */
  readonly mode: number;
  /** SHA-256 of the content (of the link target for a symlink); empty for an absent path. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Why the content has no lines to own; absent for text. */
  readonly unlined?: "binary" | "large";
  /** Covers all lines of a text file; empty otherwise. */
  readonly runs: readonly LineOwnerRun[];
}

/** Lets a later scan see without reading that a file has not changed. */
export interface StatMark {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly sizeBytes: number;
  readonly inode: number;
}

export function sameMark(a: StatMark, b: StatMark): boolean {
  return (
    a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.sizeBytes === b.sizeBytes && a.inode === b.inode
  );
}

/** How a change was seen: between the hooks of an edit tool, around a shell call, by an editor at a save, or not at all but stated by the person. */
export type Evidence = "edit" | "shell" | "save" | "stated";

/** All that is pending for one path: what settling a commit needs, without reading the log. */
export interface PathHead {
  readonly path: RepoPath;
  /** The last event that reached this head. */
  readonly eventId: string;
  readonly current: PathState;
  /** Null where the file was not looked at on disk. */
  readonly mark: StatMark | null;
  /** Newest first. */
  readonly earlier: readonly PathState[];
  /** By session key, for the owners in the states. */
  readonly agents: Readonly<Record<string, AgentId>>;
  /** By human key: `Name <email>`. */
  readonly humans: Readonly<Record<string, string>>;
  /** By owner key: how its edits were seen. */
  readonly evidence: Readonly<Record<string, Evidence>>;
  /** By session key: lines written, and lines that others then changed or removed. */
  readonly counters: Readonly<Record<string, { readonly generated: number; readonly overridden: number }>>;
  /**
   * By session key: the digest of the newest state that an edit of the session left (empty: it removed the path). What
   * tells whose work a removal, a binary file or a cut is, where no line can. Absent in heads of older versions.
   */
  readonly produced?: Readonly<Record<string, string>>;
  /** Calls of agents on this path that have begun and not ended. */
  readonly begun: readonly { readonly toolUseId: string; readonly at: number }[];
}
