import { dirname, join } from "node:path";
import { errorText } from "../base/errors.ts";
import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";

/** Something a hook could not do. Hooks never fail; `status` and `doctor` show what they leave here. */
export interface Problem {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Which hook: `claude PostToolUse`, `git post-commit`. */
  readonly where: string;
  readonly what: string;
}

const maxTextLength = 2000;

/** The file is cut to its newer half above this, bytes. */
const maxProblemsBytes = 256 * 1024;

function problemsPath(repository: Repository): string {
  return join(repository.gitDir, "keyframe", "journal", "problems.jsonl");
}

/** Appends a problem; the file keeps its newer half when it grows too large. Never throws: it is the last resort. */
export function recordProblem(repository: Repository, files: Files, problem: Problem): void {
  const path = problemsPath(repository);
  const short = {
    ...problem,
    where: problem.where.slice(0, 200),
    what: errorText(problem.what).slice(0, maxTextLength),
  };
  try {
    files.makeFolder(dirname(path));
    if ((files.statIfExists(path)?.sizeBytes ?? 0) > maxProblemsBytes) keepNewerHalf(path, files);
    files.append(path, Buffer.from(`${JSON.stringify(short)}\n`), { mode: 0o600 });
  } catch {
    // a hook that cannot even say what went wrong stays silent rather than break the agent
  }
}

/** Oldest first; lines that are not whole are left out. */
export function readProblems(repository: Repository, files: Files): Problem[] {
  const text = files.readIfExists(problemsPath(repository))?.toString("utf8") ?? "";
  return text.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isProblem(value) ? [value] : [];
    } catch {
      return []; // the cut first line of the newer half, or a torn last one
    }
  });
}

export function clearProblems(repository: Repository, files: Files): void {
  files.remove(problemsPath(repository));
}

function keepNewerHalf(path: string, files: Files): void {
  const tail = files.readTail(path, maxProblemsBytes / 2);
  files.replaceWithoutSync(path, tail.subarray(tail.indexOf(0x0a) + 1), { mode: 0o600 });
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "at" in value &&
    typeof value.at === "number" &&
    "where" in value &&
    typeof value.where === "string" &&
    "what" in value &&
    typeof value.what === "string"
  );
}
