import { agentAdapters } from "../../src/agents/hooks/registry.ts";
import { decodePayload } from "../../src/agents/payload.ts";
import { parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { isKeyframeError } from "../../src/base/errors.ts";
import { cleanLine, cleanText } from "../../src/base/text/clean-text.ts";
import { readCaptureSettings } from "../../src/checkpoints/capture/settings.ts";
import { sessionsOf } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { parseCheckpointId } from "../../src/checkpoints/record/ids.ts";
import { parseRootMetadata, parseSessionMetadata } from "../../src/checkpoints/record/metadata.ts";
import { parseTree } from "../../src/git/objects/tree.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";
import { emptyFacts } from "../../src/transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../src/transcripts/scan/transcript-scan.ts";
import { mutate } from "./mutate.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

interface Options {
  readonly runs: number;
  readonly seed: number;
}

const jsonWords = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "null",
  "1e999",
  "\\u0000",
  "\\ud800",
  "__proto__",
  "-0",
  "../",
];

function eachInput(
  seeds: readonly string[],
  words: readonly string[],
  look: (bytes: Buffer, random: SeededRandom) => void,
) {
  return ({ runs, seed }: Options): number => {
    const random = seededRandom(seed);
    for (let run = 0; run < runs; run += 1)
      look(mutate(Buffer.from(random.pick(seeds)), words, random), random);
    return runs;
  };
}

const call = { session_id: "s", transcript_path: "/h/t.jsonl", cwd: "/w", hook_event_name: "PostToolUse" };
const payloads = [
  {
    ...call,
    tool_name: "Edit",
    tool_use_id: "1",
    tool_input: { file_path: "/w/a", old_string: "a", new_string: "b" },
  },
  {
    ...call,
    tool_name: "Bash",
    tool_use_id: "1",
    tool_input: { command: "ls" },
    tool_response: { stdout: "" },
  },
  { ...call, hook_event_name: "UserPromptSubmit", prompt: "hi" },
  {
    type: "ai_agent",
    repo_working_dir: "/w",
    agent_name: "x",
    conversation_id: "1",
    edited_filepaths: ["/w/a"],
    dirty_files: { "/w/a": "x" },
  },
  {
    hook_event_name: "afterFileEdit",
    conversation_id: "1",
    workspace_roots: ["/w"],
    file_path: "/w/a",
    edits: [],
  },
].map((payload) => JSON.stringify(payload));

/** Every agent's adapter reads every payload: an event, or a reason. */
export const fuzzPayloads = eachInput(
  payloads,
  [...jsonWords, "file_path", "tool_input", "/w/../etc"],
  (bytes) => {
    const decoded = decodePayload(bytes);
    if ("kind" in decoded) return;
    for (const adapter of agentAdapters) {
      const reading = adapter.parsePayload(decoded.payload);
      if (typeof reading.kind !== "string") throw new Error(`${adapter.name} returned no kind`);
    }
  },
);

const note = `src/a.ts\n  s_1 1-3,7\n"b c"\n  h_1 2\n---\n${JSON.stringify(
  {
    schema_version: "authorship/3.0.0",
    base_commit_sha: "a".repeat(40),
    prompts: {},
    humans: { h_1: { author: "A <a@b>" } },
    sessions: { s_1: { agent_id: { tool: "claude", id: "1", model: "m" } } },
  },
  null,
  2,
)}\n`;

/** A note is read whatever it is; what cannot be read is told. */
export const fuzzNotes = eachInput(
  [note, note + note, "{}"],
  [...jsonWords, "---\n", "\n  ", "1-4294967295,", "s_1 ", '"'],
  (bytes) => {
    const { problems } = parseAuthorshipLog(bytes);
    if (problems.length > 100) throw new Error("more problems than are told");
  },
);

const treeSeed = Buffer.concat([
  Buffer.from("100644 metadata.json\0"),
  Buffer.alloc(20, 1),
  Buffer.from("40000 0\0"),
  Buffer.alloc(20, 2),
]).toString("latin1");

/** Trees, and what a checkpoint's tree says of its sessions: numbers in names claim nothing that is allocated. */
export function fuzzTrees({ runs, seed }: Options): number {
  const random = seededRandom(seed);
  const id = parseCheckpointId("a1b2c3d4e5f6");
  const names = [
    "metadata.json",
    "full.jsonl",
    "full.jsonl.001",
    "full.jsonl.999999",
    "raw_transcript.4",
    "prompt.txt",
    "tasks/x/task.json",
    "../x",
    "",
  ];
  for (let run = 0; run < runs; run += 1) {
    const entries = parseTree(
      mutate(Buffer.from(treeSeed, "latin1"), ["40000 ", "\0", "100644 x\0"], random),
      random.pick([20, 32]),
    );
    const oid = entries[0]?.oid;
    if (oid === undefined) continue;
    const files = new Map(
      Array.from(
        { length: random.below(30) },
        () => [`${random.pick(["0", "1", "999999", "x", ""])}/${random.pick(names)}`, oid] as const,
      ),
    );
    for (const session of sessionsOf({ id, store: "v1", ref: "refs/heads/x", files }))
      if (session.missingChunks.length > 10_000) throw new Error("a name made a list of a million numbers");
  }
  return runs;
}

const metadata = JSON.stringify({
  checkpoint_id: "a1b2c3d4e5f6",
  session_id: "s",
  agent: "Claude Code",
  created_at: "2026-01-02T03:04:05Z",
  files_touched: ["a"],
  sessions: [{ metadata: "/a1/b2/0/metadata.json" }],
  token_usage: { input_tokens: 1, subagent_tokens: { input_tokens: 2 } },
});

/** Metadata of checkpoints and of sessions. */
export const fuzzMetadata = eachInput([metadata], jsonWords, (bytes) => {
  parseRootMetadata(bytes);
  parseSessionMetadata(bytes);
});

const settings = JSON.stringify({
  redaction: {
    rules: [{ name: "a", prefix: "acme_", characters: "A-Za-z0-9", minLength: 16, maxLength: 64 }],
  },
  checkpoints: { store: "v2" },
});
const probe = Buffer.from(`{"text":"acme_${"aB3".repeat(30)} ${"a".repeat(5000)}"}\n`);

/** Settings that a clone brings: used, or refused with one of our errors; a rule that is used cannot be slow. */
export const fuzzSettings = eachInput(
  [settings],
  [...jsonWords, "A-Z", "characters", "minLength", "(a+)+$"],
  (bytes) => {
    const stat = {
      kind: "file" as const,
      sizeBytes: bytes.length,
      mode: 0o644,
      mtimeMs: 0,
      ctimeMs: 0,
      inode: 1,
      device: 1,
      userId: 0,
      birthMs: 0,
    };
    const files = {
      ...nodeFiles,
      read: () => bytes,
      statIfExists: (path: string) => (path.endsWith(".json") ? stat : { ...stat, kind: "folder" as const }),
    };
    try {
      const repository = { workTree: "/w", gitDir: "/w/.git", commonDir: "/w/.git" };
      readCaptureSettings(repository, { files }).redactor.redactLines(probe);
    } catch (error) {
      if (!isKeyframeError(error)) throw error;
    }
  },
);

const record = JSON.stringify({
  type: "assistant",
  message: {
    role: "assistant",
    model: "m",
    content: [
      { type: "tool_use", id: "t", name: "Bash", input: { command: "curl -u a:hunter2hunter2 https://x" } },
    ],
    usage: { input_tokens: 1 },
  },
});
const redactor = createRedactor();
const secretWords = [
  ...jsonWords,
  "password=",
  "-----BEGIN PRIVATE KEY-----",
  "token: ",
  "Cookie: sid=",
  "curl -u ",
  "login x password ",
  "aB3".repeat(30),
  "\\n",
  "eyJ",
];

/** Lines of transcripts: redacted line by line and scanned for every agent. */
export const fuzzTranscripts = eachInput([record], secretWords, (bytes, random) => {
  const redacted = redactor.redactLines(bytes);
  if (
    redactor.redactLines(Buffer.concat([bytes, Buffer.from("\n"), bytes])).length !==
    redacted.length * 2 + 1
  )
    throw new Error("a line was not redacted as it is by itself");
  const tool = random.pick([
    "claude",
    "codex",
    "copilot",
    "cursor",
    "droid",
    "gemini",
    "opencode",
    "pi",
    "other",
  ]);
  scanTranscriptLine(tool, redacted, emptyFacts());
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const driving = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Text on its way to a terminal. */
export const fuzzText = eachInput(
  ["name\u001b[31m\u202e", "日本語 👩‍💻"],
  ["\u001b[", "\u001b]8;;", "\u0007", "\u009b", "\u202e", "\r", "\n", "\u200b"],
  (bytes) => {
    const text = bytes.toString("utf8");
    if (driving.test(cleanText(text)) || cleanLine(text).includes("\n"))
      throw new Error(JSON.stringify(text));
  },
);
