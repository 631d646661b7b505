import type { AgentId } from "../../agents/agent-event.ts";
import { rewrittenRegions, sharedCuts } from "../../authorship/rules/rewritten-lines.ts";
import { ownersOfAddedLines } from "../../authorship/settle/owners-of-commit.ts";
import { type PendingPath, readStates } from "../../authorship/settle/pending-paths.ts";
import { sha256Hex } from "../../base/digest.ts";
import { splitLines } from "../../base/text/lines.ts";
import type { Git } from "../../git/git.ts";
import { emptyTreeOid, isOid, nullOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { readObjectFormat } from "../../git/objects/bulk-writer.ts";
import type { FilePatch } from "../../git/objects/file-patch.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { readIndexPatch } from "../../git/objects/patch.ts";
import { listStagedChanges, type StagedChange } from "../../git/worktree/staged-changes.ts";
import { pruneAndListShellCalls, type ShellCall } from "../../journal/calls/shell-calls.ts";
import { readPathHead, readStateContent, stateContentPath } from "../../journal/heads/head-files.ts";
import { type BaseCommit, type Epoch, listEpochs } from "../../journal/layout.ts";
import { decodeLineOwners, ownersIn, sessionOfOwner } from "../../journal/line-owners.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import { isSameProcess } from "../../system/process/process-table.ts";
import type { AttachedSession } from "./attached-sessions.ts";

/** A session whose work is in a commit that is being made, and where. */
export interface LinkedSession {
  readonly agent: AgentId;
  readonly files: readonly RepoPath[];
}

export interface LinkRequest {
  readonly head: BaseCommit;
  /** Sessions that were adopted: nobody saw their edits, so the paths that they named stand for them. */
  readonly attached: readonly AttachedSession[];
  /**
   * Set for a commit that was made before: only what the journal knew until HEAD left this base counts, and no process
   * around this one made it.
   */
  readonly until?: BaseCommit;
}

/** So many paths are named to git; of more it compares all. */
const maxNamedPaths = 400;
const maxAncestors = 32;

/**
 * The sessions whose work the index holds: by its lines in the staged text, by the digest of what it produced where
 * there are no lines (a removal, a binary file, a cut), and the one whose shell call makes the commit. Asks the
 * journal by path, so that sessions without work in it cost nothing. `git` is bound to the commit's index.
 */
export async function linkSessions(
  git: Git,
  deps: LockDeps,
  { head, attached, until }: LinkRequest,
): Promise<LinkedSession[]> {
  const { repository } = git;
  const epochs = epochsUntil(listEpochs(repository, deps.files), until).reverse();
  const call = until === undefined ? callAround(git, deps) : undefined;
  if (epochs.length === 0 && call === undefined && attached.length === 0) return [];
  const against = isOid(head) ? head : emptyTreeOid(nullOid(await readObjectFormat(git)));
  const staged = await listStagedChanges(git, against);
  const found = createFindings();
  const known = staged.flatMap((change) => {
    const waiting = pendingOf(deps, epochs, change);
    return waiting === undefined ? [] : [{ change, waiting }];
  });
  if (known.length > 0) await findWork(git, deps, { known, against, found });
  if (call !== undefined) {
    for (const change of staged) {
      const path = change.newPath ?? change.oldPath;
      const before = call.dirty.includes(path ?? ("" as RepoPath));
      if (path !== undefined && !before && !found.has(path)) found.add(call.agent, path);
    }
    // the agent makes this commit itself: its conversation says why
    if (staged.length > 0) found.add(call.agent);
  }
  for (const session of attached) {
    const named = new Set<string>(session.files);
    for (const { oldPath, newPath } of staged) {
      const path = [newPath, oldPath].find((name) => name !== undefined && named.has(name));
      if (path !== undefined) found.add(session.agent, path);
    }
  }
  return found.all();
}

function epochsUntil(epochs: readonly Epoch[], until: BaseCommit | undefined): Epoch[] {
  const last = until === undefined ? -1 : epochs.findLastIndex(({ base }) => base === until);
  return last === -1 ? [...epochs] : epochs.slice(0, last + 1);
}

/** The innermost open shell call of an agent that this process descends from. */
function callAround(git: Git, deps: LockDeps): ShellCall | undefined {
  const calls = pruneAndListShellCalls(git.repository, deps);
  if (calls.length === 0) return undefined;
  for (const ancestor of deps.processTable.ancestors(maxAncestors)) {
    const own = calls.filter(
      ({ agentProcess }) => agentProcess !== undefined && isSameProcess(ancestor, agentProcess),
    );
    const newest = own.sort((a, b) => b.at - a.at)[0];
    if (newest !== undefined) return newest;
  }
  return undefined;
}

/** What the journal's newest epoch that knows the path says; asked for by name, however much is pending. */
function pendingOf(
  { files }: Pick<LockDeps, "files">,
  epochs: readonly Epoch[],
  { oldPath, newPath }: StagedChange,
): PendingPath | undefined {
  for (const path of new Set([newPath, oldPath])) {
    for (const epoch of path === undefined ? [] : epochs) {
      const head = path === undefined ? undefined : readPathHead(files, epoch, path);
      if (head !== undefined) return { head, epoch };
    }
  }
  return undefined;
}

interface Known {
  readonly change: StagedChange;
  readonly waiting: PendingPath;
}

async function findWork(
  git: Git,
  deps: Pick<LockDeps, "files">,
  {
    known,
    against,
    found,
  }: { readonly known: readonly Known[]; readonly against: Oid; readonly found: Findings },
): Promise<void> {
  const paths = known.flatMap(({ change }) =>
    [change.oldPath, change.newPath].filter((path) => path !== undefined),
  );
  const patches = new Map<RepoPath, FilePatch>();
  for (const patch of await readIndexPatch(git, against, paths.length > maxNamedPaths ? [] : paths)) {
    const path = patch.newPath ?? patch.oldPath;
    if (path !== undefined) patches.set(path, patch);
  }
  const reader = openObjectReader(git);
  try {
    await Promise.all(
      known.map(async ({ change, waiting }) => {
        const path = change.newPath ?? change.oldPath;
        if (path === undefined) return;
        const blob =
          change.newOid === undefined || change.newMode === "160000"
            ? undefined
            : await reader.read(change.newOid);
        const content = blob?.content;
        const sessions = sessionsIn(deps, { content, waiting, patch: patches.get(path) });
        if (content !== undefined && change.oldPath !== undefined && mayHoldCuts(waiting, sessions)) {
          const before = await reader.read(`${against}:${change.oldPath}`);
          for (const session of cutsIn(deps, { before: before?.content, content, waiting }))
            sessions.add(session);
        }
        for (const session of sessions) {
          const agent = waiting.head.agents[session];
          if (agent !== undefined) found.add(agent, path);
        }
      }),
    );
  } finally {
    await reader.close();
  }
}

/** Keys of the sessions with work in one staged file; `content` undefined: the file is removed. */
function sessionsIn(
  deps: Pick<LockDeps, "files">,
  {
    content,
    waiting,
    patch,
  }: {
    readonly content: Buffer | undefined;
    readonly waiting: PendingPath;
    readonly patch: FilePatch | undefined;
  },
): Set<string> {
  const sessions = new Set<string>();
  const digest = content === undefined ? "" : sha256Hex(content);
  for (const [session, produced] of Object.entries(waiting.head.produced ?? {})) {
    if (produced === digest) sessions.add(session);
  }
  if (content === undefined || patch === undefined || patch.binary) return sessions;
  const owned = ownersOfAddedLines(content, patch.hunks, { states: [...readStates(deps.files, waiting)] });
  for (const { key } of owned) if (key.startsWith("s_")) sessions.add(sessionOfOwner(key));
  for (const session of rewrittenIn(deps, { content, waiting, patch })) sessions.add(session);
  return sessions;
}

/**
 * Sessions whose waiting lines the commit holds as something else that was made from them: a formatter that runs before
 * the commit leaves no line as it was.
 */
function rewrittenIn(
  { files }: Pick<LockDeps, "files">,
  {
    content,
    waiting,
    patch,
  }: { readonly content: Buffer; readonly waiting: PendingPath; readonly patch: FilePatch },
): string[] {
  const { head, epoch } = waiting;
  if (head.current.unlined !== undefined || ownersIn(head.current.runs).size === 0) return [];
  const state = readStateContent(files, epoch, head, head.current);
  if (state === undefined || state.equals(content)) return [];
  const owners = decodeLineOwners(head.current.runs, splitLines(state).length);
  const isAdded = (line: number) =>
    patch.hunks.some(({ newStart, newCount }) => line >= newStart && line < newStart + newCount);
  return rewrittenRegions(state, content).flatMap(({ old, next }) => {
    const isHeld = Array.from({ length: next.count }, (_, at) => next.start + at + 1).some(isAdded);
    const own = owners
      .slice(old.start, old.start + old.count)
      .filter((owner) => owner?.startsWith("s_") === true);
    return isHeld ? own.map((owner) => sessionOfOwner(owner ?? "")) : [];
  });
}

function mayHoldCuts({ head }: PendingPath, found: ReadonlySet<string>): boolean {
  return Object.keys(head.produced ?? {}).some((session) => !found.has(session));
}

/** Sessions that cut lines which the commit cuts as well, whatever else it does to the file. */
function cutsIn(
  { files }: Pick<LockDeps, "files">,
  {
    before,
    content,
    waiting,
  }: { readonly before: Buffer | undefined; readonly content: Buffer; readonly waiting: PendingPath },
): string[] {
  const { head, epoch } = waiting;
  return Object.entries(head.produced ?? {}).flatMap(([session, digest]) => {
    if (before === undefined || digest === "" || head.current.unlined !== undefined) return [];
    const produced = files.readIfExists(stateContentPath(epoch, head.path, { ...head.current, digest }));
    return produced !== undefined && sharedCuts(before, produced, content).length > 0 ? [session] : [];
  });
}

interface Findings {
  add(agent: AgentId, path?: RepoPath): void;
  has(path: RepoPath): boolean;
  all(): LinkedSession[];
}

function createFindings(): Findings {
  const sessions = new Map<string, { agent: AgentId; files: Set<RepoPath> }>();
  const taken = new Set<RepoPath>();
  return {
    add(agent, path) {
      const key = `${agent.tool}\0${agent.id}`;
      const session = sessions.get(key) ?? { agent, files: new Set() };
      sessions.set(key, session);
      if (path === undefined) return;
      session.files.add(path);
      taken.add(path);
    },
    has: (path) => taken.has(path),
    all: () => [...sessions.values()].map(({ agent, files }) => ({ agent, files: [...files].sort() })),
  };
}
