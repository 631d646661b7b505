import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";

export interface NotedHistorySize {
  readonly commits: number;
  /** Notes in all: those beyond the commits are of commits that are not here. */
  readonly notes: number;
}

/** As measured on a repository of years with 10,685 notes: files and entries of a note, and one in nine with transcripts. */
const shape = { files: 300, linesPerFile: 250, filesPerCommit: 5, blocksPerFile: 4, noteWithTranscript: 9 };
const transcriptBytes = 128 * 1024;

/** A repository with the shape of a real one: commits of several files with hunks here and there, notes of two kinds. */
export function createNotedHistory({ commits, notes }: NotedHistorySize): string {
  const directory = mkdtempSync(join(tmpdir(), "kf-bench-"));
  execFileSync("git", ["init", "-q", "-b", "main", directory]);
  const contents = new Map<number, string[]>();
  const pieces: string[] = [];
  const noteTexts: string[] = [];
  for (let index = 0; index < commits; index += 1) {
    const changed = changeFiles(contents, index);
    pieces.push(
      `commit refs/heads/main\nmark :${index + 1}\ncommitter Bench <b@example.com> ${1_700_000_000 + index * 60} +0000\n`,
      data(`Change ${index}`),
      ...changed.map(({ path, lines }) => `M 100644 inline ${path}\n${data(`${lines.join("\n")}\n`)}`),
    );
    noteTexts.push(`N inline :${index + 1}\n${data(noteOf(changed, index))}`);
  }
  for (let index = commits; index < notes; index += 1)
    noteTexts.push(
      `M 100644 inline ${fanOut(sha256Hex(String(index)).slice(0, 40))}\n${data(noteOf([], index))}`,
    );
  const head = "commit refs/notes/ai\ncommitter Bench <b@example.com> 1700000000 +0000\ndata 5\nnotes\n";
  execFileSync("git", ["fast-import", "--quiet"], {
    cwd: directory,
    input: Buffer.concat([...pieces, head, ...noteTexts].map((piece) => Buffer.from(piece))),
  });
  execFileSync("git", ["reset", "-q", "--hard"], { cwd: directory });
  return directory;
}

interface ChangedFile {
  readonly path: string;
  readonly lines: readonly string[];
  /** 1-based first and last line of each added block. */
  readonly added: readonly (readonly [number, number])[];
}

function changeFiles(contents: Map<number, string[]>, commit: number): ChangedFile[] {
  const count = 1 + ((commit * 7) % (2 * shape.filesPerCommit - 1));
  const files = new Set(Array.from({ length: count }, (_, at) => (commit * 31 + at * 97) % shape.files));
  return [...files].map((file) => {
    const lines = contents.get(file) ?? [];
    const isNew = lines.length === 0;
    const added: [number, number][] = [];
    for (let block = 0; block < (isNew ? 1 : shape.blocksPerFile); block += 1) {
      const size = isNew ? shape.linesPerFile : 3 + ((commit + block * 5) % 12);
      const at = isNew ? 0 : Math.floor((lines.length * (block + 0.5)) / shape.blocksPerFile);
      const text = Array.from(
        { length: size },
        (_, line) => `  const value${commit}_${block}_${line} = read(${line});`,
      );
      lines.splice(at, isNew ? 0 : size, ...text);
      added.push([at + 1, at + size]);
    }
    contents.set(file, lines);
    return { path: `src/part${file % 20}/file${file}.ts`, lines: [...lines], added };
  });
}

function noteOf(changed: readonly ChangedFile[], index: number): string {
  const attested = changed.map(
    ({ path, added }) =>
      `${path}\n${added.map(([first, last], at) => `  s_${index % 9}::t_${index}_${at} ${first}-${last}\n`).join("")}`,
  );
  const hasTranscript = index % shape.noteWithTranscript === 0;
  const prompt = {
    agent_id: { tool: "cursor", id: `p${index}`, model: "model-2" },
    messages: hasTranscript ? transcript(index) : [],
    total_additions: 40,
    accepted_lines: 40,
    overriden_lines: 1,
  };
  const session = { agent_id: { tool: "claude", id: `c${index % 9}`, model: `model-${index % 4}` } };
  const metadata = {
    schema_version: "authorship/3.0.0",
    prompts: hasTranscript ? { [`${index}`.padStart(16, "0")]: prompt } : {},
    sessions: { [`s_${index % 9}`]: session },
  };
  return `${attested.join("")}---\n${JSON.stringify(metadata, null, 2)}\n`;
}

function transcript(index: number) {
  const text = `Reads file ${index} and changes what it finds there. `.repeat(40);
  return Array.from({ length: Math.ceil(transcriptBytes / text.length) }, (_, at) => ({
    type: at % 2 === 0 ? "user" : "assistant",
    text: `${at} ${text}`,
  }));
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

function fanOut(commit: string): string {
  return `${commit.slice(0, 2)}/${commit.slice(2)}`;
}
