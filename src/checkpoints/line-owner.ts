import { KeyframeError } from "../base/errors.ts";
import type { Git } from "../git/git.ts";
import { isNullOid, isOid, type Oid } from "../git/ids.ts";

/** A line of a file in the working tree, 1-based. */
export interface LineOfFile {
  readonly path: string;
  readonly line: number;
}

/** Who a line belongs to, as far as is known. */
export interface LineOwner {
  /** The commit that brought the line in. */
  readonly commit: Oid;
  /** The conversation, where authorship was recorded line by line. */
  readonly sessionId?: string;
  /** What the user asked for, where it is known. */
  readonly prompt?: string;
}

/** Undefined: the line is not committed yet. */
export type LineOwnerLookup = (at: LineOfFile) => Promise<LineOwner | undefined>;

/** `src/a.ts:12`; undefined for anything else. */
export function parseLineOfFile(word: string): LineOfFile | undefined {
  const match = /^(.+):([1-9]\d{0,8})$/.exec(word);
  return match?.[1] === undefined ? undefined : { path: match[1], line: Number(match[2]) };
}

/** The commit that git blames, without line-by-line authorship. */
export function createBlameLookup(git: Git, cwd: string): LineOwnerLookup {
  return async ({ path, line }) => {
    const inFolder = ["-C", cwd];
    const result = await git.run([...inFolder, "blame", "--porcelain", "-L", `${line},${line}`, "--", path], {
      okCodes: [0, 128],
    });
    if (result.code !== 0) {
      throw new KeyframeError(
        "not-found",
        `cannot find line ${line} of ${path}: ${result.stderr.trim().slice(0, 300)}`,
      );
    }
    const oid = result.stdout.toString("latin1", 0, 64).split(" ")[0] ?? "";
    return isOid(oid) && !isNullOid(oid) ? { commit: oid } : undefined;
  };
}
