import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { compileGlob } from "../../base/text/glob.ts";
import type { Files } from "../../system/files/files.ts";
import { maxReportBytes } from "./junit.ts";

/** Files that the commands of a lane write: here, or in a machine. */
export interface ReportFiles {
  /** Paths of written files that match a pattern of gitignore, at most a thousand; links are not followed. */
  find(pattern: string): Promise<readonly string[]>;
  /** Undefined where there is no such file. @throws KeyframeError `too-large`: what is passed over could hold the failures */
  read(path: string): Promise<string | undefined>;
  remove(paths: readonly string[]): Promise<void>;
}

/** A directory that holds what was written below a path of the lane. */
export interface WrittenRoot {
  /** From the lane's directory; empty for the directory itself. */
  readonly at: string;
  readonly directory: string;
}

export const maxReports = 1000;
const maxDepth = 12;

/** Of a lane whose files are on this machine. */
export class WrittenFiles implements ReportFiles {
  readonly #files: Files;
  readonly #roots: readonly WrittenRoot[];

  constructor(files: Files, roots: readonly WrittenRoot[]) {
    this.#files = files;
    this.#roots = roots;
  }

  find(pattern: string): Promise<string[]> {
    const matches = compileGlob(pattern);
    const found: string[] = [];
    const visit = (root: WrittenRoot, inside: string, depth: number) => {
      for (const { name, kind } of this.#files.listIfExists(join(root.directory, inside)) ?? []) {
        const path = join(inside, name);
        if (kind === "file" && matches(join(root.at, path)) && found.length < maxReports)
          found.push(join(root.directory, path));
        else if (kind === "folder" && depth < maxDepth && name !== ".git" && name !== "node_modules")
          visit(root, path, depth + 1);
      }
    };
    for (const root of this.#roots) visit(root, "", 0);
    return Promise.resolve(found);
  }

  read(path: string): Promise<string | undefined> {
    const stat = this.#files.statIfExists(path);
    if (stat?.kind !== "file") return Promise.resolve(undefined);
    if (stat.sizeBytes > maxReportBytes)
      throw new KeyframeError("too-large", `the report ${path} is larger than ${maxReportBytes} bytes`);
    return Promise.resolve(this.#files.read(path).toString("utf8"));
  }

  remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#files.remove(path);
    return Promise.resolve();
  }
}
