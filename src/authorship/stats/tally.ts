import type { Oid } from "../../git/ids.ts";
import type { AgentOwner, HumanOwner } from "../note/owners.ts";
import { countFates, type TrackedLines } from "./line-survival.ts";

/** Lines by owner. agents + humans + unknown = added: every added line is counted once. */
export interface LineCounts {
  readonly added: number;
  readonly deleted: number;
  readonly agents: number;
  readonly humans: number;
  readonly unknown: number;
  /** Of the agents' lines: still there at the end of the range. */
  readonly accepted: number;
  /** Of the agents' lines: replaced by somebody else's within the range. */
  readonly overridden: number;
}

export interface SessionCounts {
  /** Key of the session in the notes. */
  readonly session: string;
  readonly tool: string;
  readonly model: string;
  /** The agent's own id of the conversation. */
  readonly conversation: string;
  readonly commits: number;
  readonly added: number;
  readonly accepted: number;
  /** Replaced by somebody else's lines within the range. */
  readonly overridden: number;
  /** Taken over by somebody else before they were committed, where the notes tell. */
  readonly overriddenBeforeCommit: number;
}

export interface Tally {
  readonly total: LineCounts;
  readonly files: ReadonlyMap<string, LineCounts>;
  /** What each commit added. Without deleted lines of merges, as everywhere. */
  readonly commits: ReadonlyMap<Oid, LineCounts>;
  /** Most lines first. */
  readonly sessions: readonly SessionCounts[];
  /** Known humans by identity. */
  readonly humans: ReadonlyMap<string, number>;
}

interface FileTally {
  added: number;
  deleted: number;
  claimed: number;
  humans: number;
  readonly tracked: TrackedLines[];
}

interface SessionTally {
  readonly owner: AgentOwner;
  readonly tracked: TrackedLines[];
  readonly commits: Set<Oid>;
  overriddenBefore: number;
}

/** Where counted lines are added up, by file, session and human. */
export interface TallyBook {
  /** What is added from here on belongs to this commit. */
  begin(commit: Oid): void;
  addLines(path: string, added: number, deleted: number): void;
  addHuman(path: string, owner: HumanOwner, count: number): void;
  /** Returns true at the first lines of the session in this commit. */
  addAgent(
    path: string,
    owner: AgentOwner,
    at: { readonly commit: Oid; readonly lines: TrackedLines },
  ): boolean;
  addOverriddenBefore(owner: AgentOwner, count: number): void;
  /** A renamed file keeps its numbers under the new name. */
  rename(from: string, to: string): void;
  /** The fates of all tracked lines must be known. */
  close(): Tally;
}

export function openTallyBook(): TallyBook {
  const files = new Map<string, FileTally>();
  const commits = new Map<Oid, FileTally>();
  let current = emptyFile();
  const sessions = new Map<string, SessionTally>();
  /** The same by what names them in one note, which is asked for each stretch of lines. */
  const known = new WeakMap<AgentOwner, SessionTally>();
  const humans = new Map<string, number>();

  function fileOf(path: string): FileTally {
    const file = files.get(path) ?? emptyFile();
    files.set(path, file);
    return file;
  }

  function sessionOf(owner: AgentOwner): SessionTally {
    const found = known.get(owner) ?? findSession(owner);
    known.set(owner, found);
    return found;
  }

  function findSession(owner: AgentOwner): SessionTally {
    const { tool, id, model } = owner.agent;
    // one conversation is one session, whichever form of key names it
    const name = `${id === "" ? owner.session : `${tool}:${id}`} ${model}`;
    const session = sessions.get(name) ?? { owner, tracked: [], commits: new Set(), overriddenBefore: 0 };
    sessions.set(name, session);
    return session;
  }

  return {
    begin(commit) {
      current = emptyFile();
      commits.set(commit, current);
    },
    addLines(path, added, deleted) {
      for (const tally of [fileOf(path), current]) {
        tally.added += added;
        tally.deleted += deleted;
      }
    },
    addHuman(path, owner, count) {
      for (const tally of [fileOf(path), current]) {
        tally.humans += count;
        tally.claimed += count;
      }
      humans.set(owner.identity, (humans.get(owner.identity) ?? 0) + count);
    },
    addAgent(path, owner, { commit, lines }) {
      for (const tally of [fileOf(path), current]) {
        tally.tracked.push(lines);
        tally.claimed += lines.count;
      }
      const session = sessionOf(owner);
      session.tracked.push(lines);
      const first = !session.commits.has(commit);
      session.commits.add(commit);
      return first;
    },
    addOverriddenBefore(owner, count) {
      sessionOf(owner).overriddenBefore += count;
    },
    rename(from, to) {
      const old = files.get(from);
      if (old === undefined) return;
      files.delete(from);
      const file = fileOf(to);
      file.added += old.added;
      file.deleted += old.deleted;
      file.claimed += old.claimed;
      file.humans += old.humans;
      for (const lines of old.tracked) file.tracked.push(lines);
    },
    close() {
      const counts = new Map(
        [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, file]) => [path, countFile(file)]),
      );
      return {
        total: sumCounts([...counts.values()]),
        files: counts,
        commits: new Map([...commits].map(([commit, tally]) => [commit, countFile(tally)])),
        sessions: [...sessions.values()].map(countSession).sort((a, b) => b.added - a.added),
        humans: new Map([...humans].sort(([, a], [, b]) => b - a)),
      };
    },
  };
}

function emptyFile(): FileTally {
  return { added: 0, deleted: 0, claimed: 0, humans: 0, tracked: [] };
}

function countFile(file: FileTally): LineCounts {
  const { added, accepted, overridden } = countTracked(file.tracked);
  return {
    added: file.added,
    deleted: file.deleted,
    agents: added,
    humans: file.humans,
    unknown: file.added - file.claimed,
    accepted,
    overridden,
  };
}

function countSession({ owner, tracked, commits, overriddenBefore }: SessionTally): SessionCounts {
  const { tool, model, id } = owner.agent;
  return {
    session: owner.session,
    tool,
    model,
    conversation: id,
    commits: commits.size,
    ...countTracked(tracked),
    overriddenBeforeCommit: overriddenBefore,
  };
}

function countTracked(tracked: readonly TrackedLines[]) {
  let [added, accepted, overridden] = [0, 0, 0];
  for (const lines of tracked) {
    const fates = countFates(lines);
    added += lines.count;
    accepted += fates.present;
    overridden += fates.overridden;
  }
  return { added, accepted, overridden };
}

export function sumCounts(all: readonly LineCounts[]): LineCounts {
  const sum = { added: 0, deleted: 0, agents: 0, humans: 0, unknown: 0, accepted: 0, overridden: 0 };
  for (const counts of all) {
    for (const name of Object.keys(sum) as (keyof LineCounts)[]) sum[name] += counts[name];
  }
  return sum;
}
