import { randomUUID } from "node:crypto";
import { KeyframeError } from "../../base/errors.ts";
import { type Git, gitFailed } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { resolveRevision } from "../../git/refs/refs.ts";

/** What becomes of the files of every commit. */
export interface HistoryRewrite {
  /** True for a path that no commit shall hold. */
  readonly drops: (path: string) => boolean;
  /** New objects for old ones, wherever they are. */
  readonly replaced: ReadonlyMap<Oid, Oid>;
}

/**
 * The same history with some files taken out or replaced: authors, dates, messages and merges stay, commits before the
 * first change are the same objects. No ref moves. The content of no file is read.
 * @throws KeyframeError `not-here` where a file that stays is not on this machine
 */
export async function rewriteHistory(git: Git, tip: Oid, rewrite: HistoryRewrite): Promise<Oid> {
  const name = randomUUID();
  const [from, to] = [`refs/keyframe/scratch/${name}-from`, `refs/keyframe/scratch/${name}-to`];
  try {
    await git.run(["update-ref", from, tip]);
    const args = ["fast-export", "--no-data", "--reencode=no", "--signed-tags=strip", "--use-done-feature"];
    const exported = (await git.run([...args, from])).stdout;
    const stream = rewriteStream(exported, { ...rewrite, from, to });
    const imported = await git.run(["fast-import", "--quiet", "--force", "--done"], {
      stdin: stream,
      okCodes: [0, 1, 128],
    });
    if (imported.code !== 0) throw unreadable(gitFailed(["fast-import"], imported));
    const rewritten = await resolveRevision(git, to);
    if (rewritten === undefined) throw new KeyframeError("damaged", `the history of ${tip} is empty`);
    return rewritten;
  } finally {
    for (const ref of [from, to]) await git.run(["update-ref", "-d", ref], { okCodes: [0, 1, 128] });
  }
}

function unreadable(cause: KeyframeError): KeyframeError {
  return new KeyframeError(
    "not-here",
    "the history could not be written anew: some of its files are absent",
    {
      hint: "`keyframe doctor` names what is missing; `git fetch` or `keyframe fetch --checkpoint <id>` gets it",
      cause,
    },
  );
}

/** The stream of `git fast-export --no-data`: only lines that name files change. */
function rewriteStream(
  exported: Buffer,
  { drops, replaced, from, to }: HistoryRewrite & { readonly from: string; readonly to: string },
): Buffer {
  const out: Buffer[] = [];
  for (let start = 0; start < exported.length; ) {
    const found = exported.indexOf(0x0a, start);
    const end = found === -1 ? exported.length : found;
    const line = exported.toString("latin1", start, end);
    const dataBytes = /^data (\d+)$/.exec(line)?.[1];
    const next = end + 1 + (dataBytes === undefined ? 0 : Number(dataBytes));
    const file = /^M (\d+) ([0-9a-f]+) (.+)$/.exec(line);
    const oid = file?.[2] ?? "";
    if (file !== null && isOid(oid)) {
      const path = file[3] ?? "";
      if (!drops(path)) out.push(Buffer.from(`M ${file[1]} ${replaced.get(oid) ?? oid} ${path}\n`, "latin1"));
    } else if (line === `commit ${from}` || line === `reset ${from}`)
      out.push(Buffer.from(`${line.slice(0, line.indexOf(" "))} ${to}\n`));
    else out.push(exported.subarray(start, next));
    start = next;
  }
  return Buffer.concat(out);
}
