import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { recordPresets } from "./presets.ts";

export interface RecordFlags {
  readonly hookInput?: string;
  readonly session?: string;
  readonly model?: string;
  readonly editor?: string;
  readonly editorVersion?: string;
  readonly extensionVersion?: string;
  readonly reset?: boolean;
  readonly json?: boolean;
}

const text = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder }) as const;

export const recordCommand = buildCommand<RecordFlags, string[], CliContext>({
  loader: async () => (await import("./record.ts")).record,
  parameters: {
    flags: {
      hookInput: text("Hook JSON, or `stdin` to read it there", "json"),
      session: text("With mock_ai: the conversation's id", "id"),
      model: text("With mock_ai: the model", "name"),
      editor: text("With known_human: the editor", "name"),
      editorVersion: text("With known_human: its version", "version"),
      extensionVersion: text("With known_human: the version of its extension", "version"),
      reset: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "First forget all that is pending in this worktree",
      },
      json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
    },
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "preset-or-file",
        brief: `Who made the change (${recordPresets.join(", ")}), then the files; without files those that git status shows`,
      },
    },
  },
  docs: {
    brief: "Record by hand who changed files: for scripts, editors and other agents",
    fullDescription: `Records who changed files since the last record. claude and agent-v1 read the agent's hook JSON from standard input and always end with 0; human and known_human credit the person of git's user.name; mock_ai credits a made-up agent; untracked credits nobody. keyframe checkpoint, as git-ai calls it, is the same command.

Examples:
  keyframe record human src/parser.ts
  keyframe record agent-v1 < payload.json
  keyframe record mock_ai --session demo src/lexer.ts
  keyframe record --reset`,
  },
});
