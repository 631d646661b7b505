import { resolve } from "node:path";
import type { AgentEvent, HookReading } from "../../agents/agent-event.ts";
import { findAgentAdapter } from "../../agents/hooks/registry.ts";
import { decodePayload } from "../../agents/payload.ts";
import type { CheckpointPreset } from "./presets.ts";
import type { RecordFlags } from "./record-command.ts";

export interface CheckpointInput {
  readonly preset: CheckpointPreset;
  /** As given on the command line. */
  readonly files: readonly string[];
  readonly flags: RecordFlags;
  readonly cwd: string;
  /** Hook JSON, where the preset takes it. */
  readonly payload?: Buffer;
  /** For presets without hook JSON and without files: what git status shows. */
  readonly changedPaths: () => readonly string[];
  /** A fresh id for a call that has none. */
  readonly callId: string;
}

/** True if the preset reads hook JSON from standard input by default. */
export function readsPayload(preset: CheckpointPreset, flags: RecordFlags): boolean {
  return (
    preset === "claude" ||
    preset === "agent-v1" ||
    (preset === "known_human" && flags.hookInput !== undefined)
  );
}

/** The event that a `keyframe record` call stands for. */
export function checkpointEvent(input: CheckpointInput): HookReading {
  const { preset, cwd, flags } = input;
  const named = input.files.map((file) => resolve(cwd, file));
  if (input.payload !== undefined) {
    const decoded = decodePayload(input.payload);
    if ("kind" in decoded) return decoded;
    const reading = findAgentAdapter(preset)?.parsePayload(decoded.payload);
    if (reading === undefined) return { kind: "refused", why: `${preset} takes no hook input` };
    return named.length > 0 && "paths" in reading ? { ...reading, paths: named } : reading;
  }
  const paths = named.length > 0 ? named : input.changedPaths();
  switch (preset) {
    case "untracked":
      return { kind: "untracked-edit", paths, cwd };
    case "mock_ai":
      return {
        kind: "after-edit",
        agent: { tool: "mock_ai", id: flags.session ?? "mock_ai", model: flags.model ?? "unknown" },
        cwd,
        toolUseId: input.callId,
        toolName: "checkpoint",
        paths,
        // whoever calls this by hand answers for all that changed
        baseline: "commit",
      };
    default:
      return { kind: "known-human-edit", paths, cwd, ...editorOf(flags) };
  }
}

function editorOf(flags: RecordFlags): Pick<Extract<AgentEvent, { kind: "known-human-edit" }>, "editor"> {
  const { editor, editorVersion, extensionVersion } = flags;
  if (editor === undefined) return {};
  return {
    editor: {
      name: editor,
      ...(editorVersion === undefined ? {} : { version: editorVersion }),
      ...(extensionVersion === undefined ? {} : { extensionVersion }),
    },
  };
}
