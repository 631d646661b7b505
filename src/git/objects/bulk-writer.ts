import { createHash } from "node:crypto";
import { once } from "node:events";
import { KeyframeError } from "../../base/errors.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";

/** What a path of a new commit holds. */
export type PathChange =
  | { readonly path: string; readonly kind: "blob"; readonly oid: Oid }
  /** A whole directory at once, by the id of its tree. */
  | { readonly path: string; readonly kind: "tree"; readonly oid: Oid }
  /** A file or a directory with all below it; absence is fine. */
  | { readonly path: string; readonly kind: "delete" };

export interface CommitPlan {
  /** A commit of the repository or an earlier one of this writer; none makes a commit without parents. */
  readonly parents: readonly (Oid | CommitMark)[];
  /** Applied in order to the first parent's tree (the empty tree without one). */
  readonly changes: readonly PathChange[];
  readonly message: string;
  /** `Name <email>`. */
  readonly identity: string;
  /** Unix seconds. */
  readonly atSeconds: number;
}

/** Names a commit of this writer before its id is known. */
export type CommitMark = `:${number}`;

/**
 * Writes many objects through one `git fast-import`, with bounded memory. No ref moves: the caller moves its refs by
 * compare-and-swap (`updateRefs`) once `finish` has answered, so a crash before leaves only unreachable objects.
 * Blobs go out as they come; ask for the next only when the last has been awaited.
 */
export interface BulkWriter {
  blob(content: Uint8Array): Promise<Oid>;
  commit(plan: CommitPlan): Promise<CommitMark>;
  /** Waits until everything is durable in the object database; the id of each commit. */
  finish(): Promise<ReadonlyMap<CommitMark, Oid>>;
  /** Ends without a result; objects already written stay until git prunes them. */
  abandon(): void;
}

export function openBulkWriter(git: Git, objectFormat: ObjectFormat): BulkWriter {
  // records must survive a power cut before a commit may name them; "batch" makes that one flush for all
  const args = ["-c", "core.fsync=committed,loose-object", "-c", "core.fsyncMethod=batch", "fast-import"];
  args.push("--quiet", "--done", "--force", "--date-format=raw");
  const child = git.start(args);
  const scratchRef = `refs/keyframe/scratch/${child.pid}`;
  const commits = new Map<CommitMark, Oid>();
  const order: CommitMark[] = [];
  let stdout = "";
  let stderr = "";
  let ended = false;
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr = (stderr + piece).slice(-4000);
  });
  child.stdin.on("error", () => undefined);
  const exited = child.exited.then((result) => {
    ended = true;
    return result;
  });
  exited.catch(() => undefined);

  async function write(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    if (ended) throw importFailed(args, await exited, stderr);
    let room = true;
    for (const piece of pieces) room = child.stdin.write(piece);
    // where git has ended in between, what it said tells why, and not that the pipe is broken
    if (!room) await Promise.race([once(child.stdin, "drain").catch(() => exited), exited]);
  }

  return {
    async blob(content) {
      await write(`blob\ndata ${content.length}\n`, content, "\n");
      return blobOid(content, objectFormat);
    },
    async commit(plan) {
      const mark: CommitMark = `:${order.length + 1}`;
      order.push(mark);
      const message = Buffer.from(plan.message.endsWith("\n") ? plan.message : `${plan.message}\n`);
      const [first, ...merged] = plan.parents;
      // without the reset, the second commit would silently continue the first
      await write(`reset ${scratchRef}\n`, first === undefined ? "" : `from ${first}\n`, "\n");
      await write(
        `commit ${scratchRef}\nmark ${mark}\n`,
        `committer ${plan.identity} ${plan.atSeconds} +0000\ndata ${message.length}\n`,
        message,
        "\n",
        first === undefined ? "" : `from ${first}\n`,
        ...merged.map((parent) => `merge ${parent}\n`),
      );
      for (const change of plan.changes) {
        const path = quoteImportPath(change.path);
        if (change.kind === "delete") await write(`D ${path}\n`);
        else await write(`M ${change.kind === "tree" ? "040000" : "100644"} ${change.oid} ${path}\n`);
      }
      await write(`\nget-mark ${mark}\n`);
      return mark;
    },
    async finish() {
      const zeros = "0".repeat(objectFormat === "sha1" ? 40 : 64);
      // the commits must be reachable by nothing: the scratch ref is never created
      if (order.length > 0) await write(`reset ${scratchRef}\nfrom ${zeros}\n\n`);
      child.stdin.end("done\n");
      const result = await exited;
      if (result.code !== 0) throw importFailed(args, result, stderr);
      const oids = stdout.split("\n").filter(isOid);
      order.forEach((mark, index) => {
        const oid = oids[index];
        if (oid !== undefined) commits.set(mark, oid);
      });
      if (commits.size !== order.length)
        throw importFailed(args, result, `${stderr} (commit ids are absent)`);
      return commits;
    },
    abandon() {
      child.kill("SIGKILL");
    },
  };
}

export type ObjectFormat = "sha1" | "sha256";

/** The format that an id is of. */
export function objectFormatOf(oid: Oid): ObjectFormat {
  return oid.length === 40 ? "sha1" : "sha256";
}

export async function readObjectFormat(git: Git): Promise<ObjectFormat> {
  const answer = await git.text(["rev-parse", "--show-object-format"]);
  return answer === "sha256" ? "sha256" : "sha1";
}

/** The id that git gives a blob. */
export function blobOid(content: Uint8Array, format: ObjectFormat): Oid {
  return createHash(format).update(`blob ${content.length}\0`).update(content).digest("hex") as Oid;
}

function quoteImportPath(path: string): string {
  return `"${path.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

function importFailed(
  args: readonly string[],
  result: { readonly code: number; readonly signal: string | undefined },
  stderr: string,
): KeyframeError {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    return new KeyframeError("disk-full", "git has no room to write objects", {
      hint: "free some space and run the command again",
      cause: new Error(stderr.trim()),
    });
  }
  return gitFailed(args.slice(4), { ...result, stderr });
}
