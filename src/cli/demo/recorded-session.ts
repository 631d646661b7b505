/** A hook payload as Claude Code sends it, and what its tool does between the hooks before and after it. */
export interface RecordedPayload {
  readonly hook_event_name: string;
  readonly tool_name?: string;
  readonly tool_input?: {
    readonly file_path?: string;
    readonly content?: string;
    readonly old_string?: string;
    readonly new_string?: string;
    readonly command?: string;
  };
  readonly [field: string]: unknown;
}

const firstDraft = 'export function slug(title) {\n  return title.toLowerCase().replaceAll(" ", "-");\n}\n';
const weakLine = '  return title.toLowerCase().replaceAll(" ", "-");\n';
const betterLines =
  '  const words = title.toLowerCase().match(/[a-z0-9]+/g) ?? [];\n  return words.join("-");\n';

/** The demo's conversation. */
export const recordedPrompt = "Write a function that turns a title into a URL part";

/**
 * What Claude Code 2.1.329 sent to its hooks while it worked on that prompt, with the folder of the repository and of
 * the transcript put in.
 */
export function recordedSession(repository: string, transcripts: string): RecordedPayload[] {
  const conversation = "c42fff30-fd6e-4c33-af96-92949634b7ec";
  const common = {
    session_id: conversation,
    transcript_path: `${transcripts}/${conversation}.jsonl`,
    cwd: repository,
    prompt_id: "6037d739-702b-47e3-9c14-09a88c6c08c6",
    permission_mode: "acceptEdits",
  };
  const path = `${repository}/slug.js`;
  const write = {
    tool_name: "Write",
    tool_use_id: "toolu_1505d7c9a2334278836a991b",
    tool_input: { file_path: path, content: firstDraft },
  };
  const edit = {
    tool_name: "Edit",
    tool_use_id: "toolu_961bf60380a74b3781e17b1c",
    tool_input: { file_path: path, old_string: weakLine, new_string: betterLines, replace_all: false },
  };
  const bash = {
    tool_name: "Bash",
    tool_use_id: "toolu_a9835afa653d43c8adaacc73",
    tool_input: {
      command: "echo '- slug(): titles to URL parts' >> CHANGES.md",
      description: "Note the change",
    },
  };
  return [
    { ...common, hook_event_name: "SessionStart", source: "startup" },
    { ...common, hook_event_name: "UserPromptSubmit", prompt: recordedPrompt },
    { ...common, ...write, hook_event_name: "PreToolUse" },
    {
      ...common,
      ...write,
      hook_event_name: "PostToolUse",
      tool_response: { type: "create", filePath: path, content: firstDraft, originalFile: null },
      duration_ms: 9,
    },
    { ...common, ...edit, hook_event_name: "PreToolUse" },
    {
      ...common,
      ...edit,
      hook_event_name: "PostToolUse",
      tool_response: {
        filePath: path,
        oldString: weakLine,
        newString: betterLines,
        originalFile: firstDraft,
      },
      duration_ms: 4,
    },
    { ...common, ...bash, hook_event_name: "PreToolUse" },
    {
      ...common,
      ...bash,
      hook_event_name: "PostToolUse",
      tool_response: { stdout: "", stderr: "", interrupted: false },
      duration_ms: 25,
    },
    { ...common, hook_event_name: "Stop", stop_hook_active: false },
    { ...common, hook_event_name: "SessionEnd", reason: "other" },
  ];
}
