import type { Trace } from "../../system/trace.ts";
import type { Git } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";
import { resolveRevision } from "../refs/refs.ts";
import { type NetworkOptions, type NetworkResult, remoteFailure, runOverNetwork } from "./network.ts";
import { type Have, openQuarantine, type QuarantineDeps } from "./quarantine.ts";
import type { Remote } from "./remote.ts";

export interface FetchContext extends QuarantineDeps {
  readonly git: Git;
  readonly trace: Trace;
  readonly onProgress?: NetworkOptions["onProgress"];
  readonly idleTimeoutMs?: number;
}

/** A ref of the remote and what it held. */
export interface RemoteTip {
  readonly ref: string;
  readonly oid: Oid;
}

/**
 * Full names of refs, or beginnings of names that end in `*`. A name that the remote does not have is no error.
 */
export type RefPattern = string;

export interface FetchedTips {
  readonly tips: readonly RemoteTip[];
  /** Pack bytes that came over. */
  readonly receivedBytes: number;
}

/**
 * The newest commit of some refs with all its trees, without files and without history. No ref of the repository
 * moves. Returns undefined if the remote cannot leave files out: nothing was transferred then.
 * @throws KeyframeError `remote-failed`, `damaged`, `timed-out`, `disk-full`
 */
export async function fetchTrees(
  context: FetchContext,
  remote: Remote,
  { patterns, haves }: { readonly patterns: readonly RefPattern[]; readonly haves: readonly Have[] },
): Promise<FetchedTips | undefined> {
  const quarantine = await openQuarantine(context.git, context, haves);
  try {
    let unfiltered = false;
    const result = await runOverNetwork(
      quarantine.git,
      remote,
      [
        ...asPromisor(remote),
        "fetch",
        "--progress",
        "--no-tags",
        "--no-write-fetch-head",
        "--depth=1",
        "--filter=blob:none",
        "--",
        promisorName,
        ...patterns.map((pattern) => refspec(pattern, "refs/fetched/")),
      ],
      {
        ...networkOptions(context),
        onLine(line) {
          if (!/filtering not recognized by server/.test(line)) return undefined;
          unfiltered = true;
          return "stop";
        },
      },
    );
    if (unfiltered) return undefined;
    // what is here already turned out to be less than it seemed: then everything is sent again
    if (result.code !== 0 && haves.length > 0 && lacksObjects.test(result.stderr))
      return await fetchTrees(context, remote, { patterns, haves: [] });
    // git ends with 1 and says nothing where no ref at all matches
    if (result.code === 1 && result.stderr.trim() === "") return { tips: [], receivedBytes: 0 };
    mustSucceed(remote, result, `cannot fetch ${describePatterns(patterns)}`);
    const tips = await listRefs(quarantine.git, "refs/fetched/", patterns);
    const receivedBytes = quarantine.receivedBytes();
    quarantine.adopt();
    return { tips, receivedBytes };
  } finally {
    quarantine.close();
  }
}

const lacksObjects =
  /missing (?:blob|tree|commit) object|did not send all necessary objects|could not (?:read|parse)/i;

/**
 * A name for the remote inside the quarantine. It lets git accept trees without their files; a URL would do for that,
 * and the path of a directory would not.
 */
const promisorName = "keyframe-incoming";

function asPromisor({ fetchUrl }: Remote): string[] {
  return [`url=${fetchUrl}`, "promisor=true", "partialclonefilter=blob:none"].flatMap((setting) => [
    "-c",
    `remote.${promisorName}.${setting}`,
  ]);
}

export interface FetchedObjects {
  /** Asked for, and unknown to the remote. */
  readonly absent: readonly Oid[];
  readonly receivedBytes: number;
}

/** Objects of one request; their ids must fit into what servers accept. */
const objectsPerRequest = 4000;

/** A remote that says "I have not got this one" names one object a time. */
const maxNamedAbsent = 32;

/**
 * Exactly these objects, in as few requests as possible. Returns undefined if the remote gives no objects by id.
 * @throws KeyframeError as `fetchTrees`
 */
export async function fetchObjects(
  context: FetchContext,
  remote: Remote,
  oids: readonly Oid[],
): Promise<FetchedObjects | undefined> {
  const absent: Oid[] = [];
  let receivedBytes = 0;
  const unique = [...new Set(oids)];
  for (let from = 0; from < unique.length; from += objectsPerRequest) {
    const part = await fetchSome(context, remote, unique.slice(from, from + objectsPerRequest));
    if (part === undefined) return undefined;
    absent.push(...part.absent);
    receivedBytes += part.receivedBytes;
  }
  return { absent, receivedBytes };
}

async function fetchSome(
  context: FetchContext,
  remote: Remote,
  oids: readonly Oid[],
): Promise<FetchedObjects | undefined> {
  const wanted = new Set(oids);
  const absent: Oid[] = [];
  for (;;) {
    if (wanted.size === 0) return { absent, receivedBytes: 0 };
    const quarantine = await openQuarantine(context.git, context);
    try {
      const result = await runOverNetwork(
        quarantine.git,
        remote,
        [
          ...asPromisor(remote),
          "-c",
          "fetch.negotiationAlgorithm=noop",
          "fetch",
          "--progress",
          "--no-tags",
          "--no-write-fetch-head",
          "--filter=blob:none",
          "--stdin",
          "--",
          promisorName,
        ],
        { ...networkOptions(context), stdin: [...wanted].map((oid) => `${oid}\n`).join("") },
      );
      if (/does not allow request for unadvertised object/.test(result.stderr)) return undefined;
      const unknown = /not our ref ([0-9a-f]+)/.exec(result.stderr)?.[1];
      if (unknown !== undefined && isOid(unknown) && wanted.delete(unknown)) {
        absent.push(unknown);
        if (absent.length > maxNamedAbsent && wanted.size > 1) {
          return await fetchHalves(context, remote, { absent, oids: [...wanted] });
        }
        continue;
      }
      mustSucceed(remote, result, `cannot fetch ${oids.length} objects`);
      const receivedBytes = quarantine.receivedBytes();
      quarantine.adopt();
      return { absent, receivedBytes };
    } finally {
      quarantine.close();
    }
  }
}

/** Where many are absent, halves that are absent or there as a whole are found faster than one after the other. */
async function fetchHalves(
  context: FetchContext,
  remote: Remote,
  { absent, oids }: { readonly absent: readonly Oid[]; readonly oids: readonly Oid[] },
): Promise<FetchedObjects | undefined> {
  const middle = oids.length >> 1;
  const first = await fetchSome(context, remote, oids.slice(0, middle));
  const second = first && (await fetchSome(context, remote, oids.slice(middle)));
  if (first === undefined || second === undefined) return undefined;
  return {
    absent: [...absent, ...first.absent, ...second.absent],
    receivedBytes: first.receivedBytes + second.receivedBytes,
  };
}

/**
 * Some refs with their whole history and all files, into refs of ours that begin with `prefix`. What the repository has
 * is not sent again.
 * @throws KeyframeError as `fetchTrees`
 */
export async function fetchWhole(
  context: FetchContext,
  remote: Remote,
  {
    patterns,
    prefix,
    unshallow = false,
  }: {
    readonly patterns: readonly RefPattern[];
    readonly prefix: string;
    /** True: what a shallow clone was cut off from comes along. */
    readonly unshallow?: boolean;
  },
): Promise<readonly RemoteTip[]> {
  const result = await runOverNetwork(
    context.git,
    remote,
    [
      "fetch",
      "--progress",
      "--no-tags",
      "--no-write-fetch-head",
      "--prune",
      ...(unshallow ? ["--unshallow"] : []),
      "--",
      remote.fetchUrl,
      ...patterns.map((pattern) => refspec(pattern, prefix)),
    ],
    networkOptions(context),
  );
  mustSucceed(remote, result, `cannot fetch ${describePatterns(patterns)} in full`);
  return listRefs(context.git, prefix, patterns);
}

/** A name without a star would be an error where the remote lacks it; with one it finds itself or nothing. */
function refspec(pattern: RefPattern, prefix: string): string {
  const open = pattern.endsWith("*") ? pattern : `${pattern.slice(0, -1)}*${pattern.slice(-1)}`;
  return `+${open}:${prefix}${open.slice("refs/".length)}`;
}

/**
 * One ref in full into a ref here. Returns what it holds, undefined if the remote does not have it.
 * @throws KeyframeError as `fetchTrees`
 */
export async function fetchRef(
  context: FetchContext,
  remote: Remote,
  { ref, into }: { readonly ref: string; readonly into: string },
): Promise<Oid | undefined> {
  const result = await runOverNetwork(
    context.git,
    remote,
    ["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--", remote.fetchUrl, `+${ref}:${into}`],
    networkOptions(context),
  );
  if (result.code !== 0 && /couldn't find remote ref/.test(result.stderr)) return undefined;
  mustSucceed(remote, result, `cannot fetch ${ref}`);
  return resolveRevision(context.git, into);
}

async function listRefs(git: Git, prefix: string, patterns: readonly RefPattern[]): Promise<RemoteTip[]> {
  const text = await git.text(["for-each-ref", "--format=%(objectname) %(refname)", prefix]);
  const matches = (ref: string) =>
    patterns.some((pattern) =>
      pattern.endsWith("*") ? ref.startsWith(pattern.slice(0, -1)) : ref === pattern,
    );
  return text
    .split("\n")
    .map((line) => ({ oid: line.slice(0, line.indexOf(" ")), name: line.slice(line.indexOf(" ") + 1) }))
    .flatMap(({ oid, name }) => (isOid(oid) ? [{ oid, ref: `refs/${name.slice(prefix.length)}` }] : []))
    .filter(({ ref }) => matches(ref));
}

function networkOptions({ onProgress, idleTimeoutMs }: FetchContext): NetworkOptions {
  return {
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
  };
}

function mustSucceed(remote: Remote, result: NetworkResult, what: string): void {
  if (result.code !== 0) throw remoteFailure(remote, what, result.stderr);
}

function describePatterns(patterns: readonly RefPattern[]): string {
  const [first = "nothing", ...more] = patterns;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}
