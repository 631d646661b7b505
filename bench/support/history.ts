import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface HistorySize {
  readonly commits: number;
  readonly files: number;
  /** Lines of each file at the end. */
  readonly linesPerFile: number;
}

/** A repository with a note on every commit, made by fast-import; the same input gives the same ids. */
export function createHistory({ commits, files, linesPerFile }: HistorySize): string {
  const folder = mkdtempSync(join(tmpdir(), "kf-bench-"));
  const contents = Array.from({ length: files }, (): string[] => []);
  const stream: string[] = [];
  const notes: string[] = [];
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const perCommit = Math.max(1, Math.ceil((files * linesPerFile) / commits));
  for (let index = 0; index < commits; index += 1) {
    const file = index % files;
    const lines = contents[file] ?? [];
    const at = (index * 7919) % (lines.length + 1);
    const added = Array.from({ length: perCommit }, (_, line) => `commit ${index} line ${line}`);
    lines.splice(at, lines.length > linesPerFile ? perCommit : Math.min(1, lines.length), ...added);
    stream.push(
      `commit refs/heads/main\nmark :${index + 1}\ncommitter Bench <b@example.com> ${1_700_000_000 + index} +0000\n`,
      data(`commit ${index}`),
      `M 100644 inline src/file${file}.txt\n${data(`${lines.join("\n")}\n`)}`,
    );
    const note = `src/file${file}.txt\n  s_${index % 9}::t_${index} ${at + 1}-${at + perCommit}\n---\n${noteMetadata}`;
    notes.push(`N inline :${index + 1}\n${data(note)}`);
  }
  const head = "commit refs/notes/ai\ncommitter Bench <b@example.com> 1700000000 +0000\ndata 5\nnotes\n";
  execFileSync("git", ["init", "-q", "-b", "main", folder]);
  execFileSync("git", ["fast-import", "--quiet"], {
    cwd: folder,
    input: [...stream, head, ...notes].join(""),
  });
  execFileSync("git", ["reset", "-q", "--hard"], { cwd: folder });
  return folder;
}

const noteMetadata = JSON.stringify({
  schema_version: "authorship/3.0.0",
  prompts: {},
  sessions: Object.fromEntries(
    Array.from({ length: 9 }, (_, index) => [
      `s_${index}`,
      {
        agent_id: {
          tool: index % 3 === 0 ? "codex" : "claude",
          id: `c${index}`,
          model: `model-${index % 4}`,
        },
      },
    ]),
  ),
});
