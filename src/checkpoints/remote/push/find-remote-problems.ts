import { shellQuote } from "../../../base/text/shell-words.ts";
import { borrowFetched } from "../../../git/fetched-objects.ts";
import { isOid, type Oid } from "../../../git/ids.ts";
import { incompleteTrees } from "../../../git/objects/tree.ts";
import { findMisplaced } from "../../../git/remote/misplaced-objects.ts";
import { listStaleQuarantines } from "../../../git/remote/quarantine.ts";
import { findElectedRemote } from "../../../git/remote/remote.ts";
import { checkpointRefPrefix } from "../../record/ids.ts";
import { v1Branch } from "../../stores/layout-refs.ts";
import type { SyncContext } from "../fetch/fetch-tips.ts";
import { type PushedRef, readFetchedRemotes, readPushed } from "../remote-state.ts";
import { findUnpushed } from "./find-unpushed.ts";

export interface RemoteProblem {
  readonly kind: /** A local ref and the remote's copy of it have no commit in common, and were never joined. */
    | "disconnected"
    /** Made here and not yet brought to the remote. */
    | "not pushed"
    /** A fetch that was killed; the next one completes or removes it. */
    | "interrupted fetch"
    /** What was fetched has been deleted since. */
    | "lost fetch"
    /** An earlier version left objects of a fetch where git's own walks meet them. */
    | "misplaced objects";
  /** The ref, remote or directory. */
  readonly subject: string;
  readonly what: string;
  readonly repair: string;
  /** True where nothing is lost and nothing has to be done. */
  readonly harmless: boolean;
}

/** What stands between this repository and its remotes, from what is known here: asks nothing of the network. */
export async function findRemoteProblems(context: SyncContext): Promise<RemoteProblem[]> {
  return [
    ...(await findDisconnectedRefs(context)),
    ...(await unpushedRefs(context)),
    ...interruptedFetches(context),
    ...(await lostFetches(context)),
  ];
}

/** Earlier versions kept commits without their history in the repository itself; git's pushes and checks fail over them. */
export async function findMisplacedObjects(
  { git, files }: DisconnectedContext,
  nowMs: number,
): Promise<RemoteProblem[]> {
  const { packs, loose } = await findMisplaced(git, files, nowMs);
  if (packs.length + loose.length === 0) return [];
  return [
    {
      kind: "misplaced objects",
      subject: git.repository.commonDir,
      what: `${packs.length} packs of fetches and ${loose.length} loose objects lack what they name`,
      repair: "`keyframe doctor --repair` moves them to where fetched objects are kept",
      harmless: false,
    },
  ];
}

/** Only what no push has joined since: a joined branch comes here with the next ordinary `git fetch`. */
export async function findDisconnectedRefs({ git, files }: DisconnectedContext): Promise<RemoteProblem[]> {
  const place = { repository: git.repository, files };
  const elected = await findElectedRemote(git);
  const pushed = elected === undefined ? new Map<string, PushedRef>() : readPushed(place, elected);
  const output = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    v1Branch,
    checkpointRefPrefix,
    "refs/remotes/*/entire/checkpoints/v1",
    "refs/keyframe/remotes/",
  ]);
  const local = new Map<string, Oid>();
  const copies: { readonly ref: string; readonly of: string; readonly oid: Oid }[] = [];
  for (const line of output.split("\n")) {
    const [oid = "", ref = ""] = line.split(" ");
    if (!isOid(oid)) continue;
    const of = /^refs\/remotes\/[^/]+\/(entire\/checkpoints\/v1)$/.exec(ref)?.[1];
    const whole = /^refs\/keyframe\/remotes\/[0-9a-f]{16}\/(.+)$/.exec(ref)?.[1];
    if (of !== undefined) copies.push({ ref, of: `refs/heads/${of}`, oid });
    else if (whole !== undefined) copies.push({ ref, of: `refs/${whole}`, oid });
    else local.set(ref, oid);
  }
  const problems: RemoteProblem[] = [];
  for (const { ref, of, oid } of copies) {
    const ours = local.get(of);
    if (ours === undefined || ours === oid || pushed.get(of)?.local === ours) continue;
    // 128: a shallow history, of which nothing can be said
    const common = await git.run(["merge-base", ours, oid], { okCodes: [0, 1, 128] });
    if (common.code !== 1) continue;
    problems.push({
      kind: "disconnected",
      subject: of,
      what: `it and ${ref} have no commit in common; both are read`,
      repair: "run `keyframe push`: it joins the two by session, whatever their histories",
      harmless: false,
    });
  }
  return problems;
}

type DisconnectedContext = Pick<SyncContext, "git" | "files">;

async function unpushedRefs(context: SyncContext): Promise<RemoteProblem[]> {
  const remote = await findElectedRemote(context.git);
  if (remote === undefined) return [];
  const refs = [...(await findUnpushed(context, remote)).keys()];
  if (refs.length === 0) return [];
  return [
    {
      kind: "not pushed",
      subject: remote.name,
      what: `${refs.length} refs have changed since the last push: ${refs.slice(0, 3).join(", ")}`,
      repair: "they go with the next `git push`, or now with `keyframe push`",
      harmless: true,
    },
  ];
}

function interruptedFetches(context: SyncContext): RemoteProblem[] {
  return listStaleQuarantines(context.git, context).map((path) => ({
    kind: "interrupted fetch" as const,
    subject: path,
    what: "a fetch ended here before its time",
    repair: "run `keyframe fetch`: it completes or removes it",
    harmless: true,
  }));
}

async function lostFetches({ git, files }: SyncContext): Promise<RemoteProblem[]> {
  const remotes = readFetchedRemotes({ repository: git.repository, files });
  const gone = await incompleteTrees(
    borrowFetched(git, files),
    remotes.flatMap(({ tips }) => tips.map(({ oid }) => oid)),
  );
  return remotes
    .filter(({ tips }) => tips.some(({ oid }) => gone.has(oid)))
    .map(({ name }) => ({
      kind: "lost fetch" as const,
      subject: name,
      what: "what was fetched of its checkpoints is no longer here",
      repair: `run \`keyframe fetch ${shellQuote(name)}\``,
      harmless: false,
    }));
}
