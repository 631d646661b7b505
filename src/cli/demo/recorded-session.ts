/** A hook payload as an agent sends it, and what its tool does between the hooks before and after it. */
export interface RecordedPayload {
  readonly hook_event_name: string;
  readonly transcript_path: string;
  readonly tool_use_id?: string;
  readonly tool_name?: string;
  readonly tool_input?: {
    readonly file_path?: string;
    readonly content?: string;
    readonly old_string?: string;
    readonly new_string?: string;
    /** Of a shell, or the patch of `apply_patch`. */
    readonly command?: string;
  };
  readonly [field: string]: unknown;
}

/** What an agent was asked, and what it sent to its hooks while it worked on that. */
export interface RecordedSession {
  readonly agent: string;
  readonly title: string;
  readonly prompt: string;
  readonly payloads: readonly RecordedPayload[];
}

const firstDraft = 'export function slug(title) {\n  return title.toLowerCase().replaceAll(" ", "-");\n}\n';
const weakLine = '  return title.toLowerCase().replaceAll(" ", "-");\n';
const betterLines =
  '  const words = title.toLowerCase().match(/[a-z0-9]+/g) ?? [];\n  return words.join("-");\n';

/** What Claude Code 2.1.329 sent, with the directories of the repository and of the transcript put in. */
export function claudeSession(repository: string, transcripts: string): RecordedSession {
  const prompt = "Write a function that turns a title into a URL part";
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
  const payloads = [
    { ...common, hook_event_name: "SessionStart", source: "startup" },
    { ...common, hook_event_name: "UserPromptSubmit", prompt },
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
    {
      ...common,
      hook_event_name: "Stop",
      stop_hook_active: false,
      last_assistant_message: "slug() turns a title into a URL part, and CHANGES.md says so.",
    },
    { ...common, hook_event_name: "SessionEnd", reason: "other" },
  ];
  return { agent: "claude", title: "Claude Code", prompt, payloads };
}

const longPatch = `*** Begin Patch
*** Update File: slug.js
@@
-  return words.join("-");
+  return words.slice(0, 8).join("-");
*** End Patch
`;

/** What Codex 0.171.0 sent when it went on in the same files, put into the same directories. */
export function codexSession(repository: string, transcripts: string): RecordedSession {
  const prompt = "Keep at most eight words of a title";
  const conversation = "01a22fb3-5aa9-7283-ba15-9cb5996bf46b";
  const common = {
    session_id: conversation,
    transcript_path: `${transcripts}/rollout-2026-12-01T03-43-34-${conversation}.jsonl`,
    cwd: repository,
    model: "gpt-5.5",
    permission_mode: "bypassPermissions",
  };
  const turn = { ...common, turn_id: "01a22fb3-60de-7ca1-a0a4-197d6250d11b" };
  const patch = {
    tool_name: "apply_patch",
    tool_use_id: "call_70a77bb63d0840f8a72fb80e",
    tool_input: { command: longPatch },
  };
  const bash = {
    tool_name: "Bash",
    tool_use_id: "call_efe8e1532edb451e8d22677b",
    tool_input: { command: "echo '- slug(): at most eight words' >> CHANGES.md" },
  };
  const patched =
    "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:\nM slug.js\n";
  const payloads = [
    { ...common, hook_event_name: "SessionStart", source: "startup" },
    { ...turn, hook_event_name: "UserPromptSubmit", prompt },
    { ...turn, ...patch, hook_event_name: "PreToolUse" },
    { ...turn, ...patch, hook_event_name: "PostToolUse", tool_response: patched },
    { ...turn, ...bash, hook_event_name: "PreToolUse" },
    { ...turn, ...bash, hook_event_name: "PostToolUse", tool_response: "" },
    { ...turn, hook_event_name: "Stop", stop_hook_active: false, last_assistant_message: "Done." },
    { ...common, hook_event_name: "SessionEnd", reason: "other" },
  ];
  return { agent: "codex", title: "Codex", prompt, payloads };
}
