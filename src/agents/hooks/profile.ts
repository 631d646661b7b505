import type { AgentEvent } from "../agent-event.ts";
import type { Fields } from "../fields.ts";

/** What one of an agent's hooks means. Tool events are told apart further by the tool's name. */
export type HookMoment =
  | Exclude<AgentEvent["kind"], "before-human-edit" | "known-human-edit" | "untracked-edit" | "read-call">
  | "before-tool"
  | "after-tool";

/**
 * How an agent's hook payloads read, as data. A place is a path of field names (`tool_call.id`) in snake_case; camelCase
 * spellings are found too. Of several places the first that holds something counts.
 */
export interface HookProfile {
  /** As in notes, and after `keyframe hook`. */
  readonly name: string;
  /** As people call it. */
  readonly title: string;
  readonly places: {
    /** The event's name; an agent whose payloads lack it names the event in the hook's command. */
    readonly event?: readonly string[];
    readonly session: readonly string[];
    /** A directory, or a list of workspace roots of which the one that holds the edited file counts. */
    readonly directory: readonly string[];
    readonly transcript?: readonly string[];
    readonly model?: readonly string[];
    readonly prompt?: readonly string[];
    readonly tool?: readonly string[];
    readonly input?: readonly string[];
    /** The call's id; where there is none, one is made of the tool's name and input. */
    readonly call?: readonly string[];
    readonly subagent?: readonly string[];
    readonly source?: readonly string[];
  };
  /** By the name that the agent gives an event; events that are not listed are not recorded. */
  readonly events: Readonly<Record<string, HookMoment>>;
  readonly tools: {
    /** Tools that write the files their input names. */
    readonly edit: readonly string[];
    /** Tools that change no file; every tool that is in neither list may write anywhere. */
    readonly readOnly: readonly string[];
  };
  /**
   * What becomes of hooks after a call. `dropped`: none fires after a call that failed. `late`: they are not waited for,
   * and the last of a turn may never come.
   */
  readonly afterHooks?: "dropped" | "late";
  /** The agent may write the file only so long after its hook has run. */
  readonly writesAfterMs?: number;
  /** Where the lines of its transcript name the model. */
  readonly modelInLines?: readonly string[];
  /** The same for a transcript that is one document: what comes before the name, which is the first group. */
  readonly modelInDocument?: RegExp;
  /** True for an event that the agent repeats and that says nothing new. */
  readonly isRepeated?: (fields: Fields) => boolean;
}
