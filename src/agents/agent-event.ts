/** Who acted: the program, its conversation, and the model if the program said so. */
export interface AgentId {
  /** `claude`, `codex`, ... as written to notes. */
  readonly tool: string;
  /** The conversation's id, as the agent names it. */
  readonly id: string;
  /** `unknown` where the agent did not say. */
  readonly model: string;
}

interface FromAgent {
  readonly agent: AgentId;
  /** Absolute directory the agent works in; relative paths of the payload are already joined to it. */
  readonly cwd: string;
  readonly transcriptPath?: string;
  /** Set for work done by a subagent of the conversation. */
  readonly subagentId?: string;
}

interface ToolCall extends FromAgent {
  /** The agent's id of the call; before and after carry the same. */
  readonly toolUseId: string;
  readonly toolName: string;
}

/**
 * What one hook call says, whatever the agent. Paths are absolute and not yet trusted: the recorder checks that each
 * lies in a repository and is not reached through a symlink.
 */
export type AgentEvent =
  | (FromAgent & { readonly kind: "session-start"; readonly source?: string })
  | (FromAgent & { readonly kind: "prompt"; readonly prompt: string })
  | (ToolCall & {
      readonly kind: "before-edit";
      readonly paths: readonly string[];
      readonly buffers?: Buffers;
      /**
       * What the call leaves in a file that holds `before`, where the payload tells that: evidence of the call, should no
       * hook say that it has ended, or another call's look come first.
       */
      readonly expected?: (before: string | undefined) => string | undefined;
    })
  | (ToolCall & {
      readonly kind: "after-edit";
      readonly paths: readonly string[];
      /**
       * What the agent itself says the file held before the call; null: the file did not exist. It is the text as
       * the agent decoded it: CRLF line ends may read as LF, and a large file may be missing.
       */
      readonly originals?: ReadonlyMap<string, string | null>;
      /**
       * `commit`: where no earlier state is known, the reporter answers for all changes since HEAD. Without it, such a
       * change is nobody's.
       */
      readonly baseline?: "commit";
      readonly buffers?: Buffers;
      /** As before the call. */
      readonly expected?: (before: string | undefined) => string | undefined;
      /** Set where the agent does not wait for this hook: the call had ended by then, and what came later is not its work. */
      readonly endedByMs?: number;
    })
  | (ToolCall & { readonly kind: "before-shell"; readonly command?: string })
  | (ToolCall & {
      readonly kind: "after-shell";
      readonly command?: string;
      /** Another event may have settled the call already. */
      readonly mayBeLate?: boolean;
      /** As after an edit. */
      readonly endedByMs?: number;
    })
  /** A call that changes nothing, of an agent whose hooks after a call are not waited for: earlier calls are settled. */
  | (FromAgent & { readonly kind: "read-call" })
  | (FromAgent & { readonly kind: "turn-end" })
  | (FromAgent & { readonly kind: "subagent-end" })
  | (FromAgent & { readonly kind: "session-end"; readonly reason?: string })
  | {
      /** An editor saw a person save these files. */
      readonly kind: "known-human-edit";
      readonly paths: readonly string[];
      readonly cwd: string;
      readonly editor?: {
        readonly name: string;
        readonly version?: string;
        readonly extensionVersion?: string;
      };
      readonly buffers?: Buffers;
    }
  | {
      /** An editor saw a person begin to change these files, as they lie on disk: what changed before is not theirs. */
      readonly kind: "before-human-edit";
      readonly paths: readonly string[];
      readonly cwd: string;
      readonly buffers?: Buffers;
    }
  | {
      /** A snapshot that credits nobody: what changed since the last one is nobody's. */
      readonly kind: "untracked-edit";
      readonly paths: readonly string[];
      readonly cwd: string;
      /** The call of an agent that is about to edit them: an editor's save meanwhile is not a person's. */
      readonly announces?: string;
      readonly buffers?: Buffers;
    };

/** The id of edits in formats that have no ids. */
export const unnamedCall = "unnamed";

/** Unsaved editor contents by absolute path; they stand for the file on disk. */
export type Buffers = ReadonlyMap<string, string>;

/** A payload that changes nothing: a read-only tool, an event of another kind. */
export interface IgnoredPayload {
  readonly kind: "ignored";
  readonly why: string;
}

/** A payload that cannot be trusted or understood. The reason is recorded; the agent is never told. */
export interface RefusedPayload {
  readonly kind: "refused";
  readonly why: string;
  /** The agent that sent it, where it is another than the hook is for: agents run hooks of others' settings. */
  readonly sender?: string;
}

/** One coding agent: how its hook payloads read. Never throws on any input. */
export interface AgentAdapter {
  readonly name: string;
  /** Pure. `eventName`: what the hook's command says of agents whose payloads do not name the event. */
  parsePayload(payload: unknown, eventName?: string): HookReading;
  /**
   * What becomes of the hook after a call. `dropped`: none fires if the call failed. `late`: nobody waits for it, and the
   * last one of a turn may never come. Absent: it fires, and is waited for.
   */
  readonly afterHooks?: "dropped" | "late";
  /** The agent may write a file only so long after the hook that says that it has. */
  readonly writesAfterMs?: number;
  /** The model behind the event, for agents whose payloads do not name it; undefined if it cannot be told. */
  findModel?(event: AgentEvent, readTail: TailReader): string | undefined;
}

export type HookReading = AgentEvent | IgnoredPayload | RefusedPayload;

/** The last bytes of a regular file, or undefined if there is none. */
export type TailReader = (path: string, maxBytes: number) => Buffer | undefined;
