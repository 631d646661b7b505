import type { AgentId } from "../../agents/agent-event.ts";
import { joinAgents } from "../join-agents.ts";
import type { JournalEvent } from "../journal-event.ts";
import { maxEarlierStates } from "../limits.ts";
import { ownersIn, sessionOfOwner } from "../line-owners.ts";
import type { PathHead, PathState } from "../path-state.ts";
import { encodeRecordLine, parseRecordLine } from "../record-line.ts";

const absent: PathState = { kind: "absent", mode: 0, digest: "", sizeBytes: 0, runs: [] };

/** The head after an event. Pure; applying the same event twice gives the same head. */
export function applyEvent(head: PathHead | undefined, event: JournalEvent): PathHead {
  if (head?.eventId === event.id) return head;
  if (event.carried !== undefined) return { ...event.carried, eventId: event.id };
  const state = event.state ?? head?.current ?? absent;
  const begunBefore = (head?.begun ?? []).filter((call) => call.toolUseId !== event.toolUseId);
  return {
    path: event.path,
    eventId: event.id,
    current: state,
    mark: event.mark ?? (event.state === undefined ? (head?.mark ?? null) : null),
    earlier: earlierStates(head, state),
    agents: joinAgents(head?.agents, event.known?.agents, agentsOf(event)),
    humans: {
      ...head?.humans,
      ...event.known?.humans,
      ...(event.owner !== null && event.human !== undefined ? { [event.owner]: event.human } : {}),
    },
    evidence: {
      ...head?.evidence,
      ...event.known?.evidence,
      ...(event.owner !== null && event.evidence !== undefined ? { [event.owner]: event.evidence } : {}),
    },
    counters: countersAfter(head?.counters ?? {}, event),
    produced: producedAfter(head?.produced ?? {}, event),
    begun:
      event.kind === "begin" && event.toolUseId !== undefined
        ? [...begunBefore, { toolUseId: event.toolUseId, at: event.at }]
        : begunBefore,
  };
}

/** True if some line of a state, or the state itself, is someone's work: such a head has something to settle. */
export function hasOwners(head: PathHead): boolean {
  return isProduced(head) || [head.current, ...head.earlier].some((state) => ownersIn(state.runs).size > 0);
}

/** True if the path stands as an agent's edit left it. */
export function isProduced({ current, produced }: PathHead): boolean {
  return Object.values(produced ?? {}).includes(current.digest);
}

export function encodePathHead(head: PathHead): Buffer {
  return encodeRecordLine(head);
}

/** Undefined if the bytes are not a whole head. */
export function parsePathHead(bytes: Buffer): PathHead | undefined {
  const record = parseRecordLine(bytes);
  if (record === undefined || typeof record["path"] !== "string" || typeof record["current"] !== "object")
    return undefined;
  // the sum has been checked: the record is as encodeHead wrote it
  return record as unknown as PathHead;
}

function earlierStates(head: PathHead | undefined, state: PathState): readonly PathState[] {
  if (head === undefined) return [];
  const { current, earlier } = head;
  const isNewState = current.digest !== state.digest || current.kind !== state.kind;
  if (!isNewState || ownersIn(current.runs).size === 0)
    return earlier.filter((other) => other.digest !== state.digest);
  return [current, ...earlier].filter((other) => other.digest !== state.digest).slice(0, maxEarlierStates);
}

function agentsOf(event: JournalEvent): Record<string, AgentId> {
  if (event.owner === null || event.agent === undefined) return {};
  return { [sessionOfOwner(event.owner)]: event.agent };
}

function producedAfter(
  produced: NonNullable<PathHead["produced"]>,
  event: JournalEvent,
): NonNullable<PathHead["produced"]> {
  if (event.kind !== "edit" || event.state === undefined || !event.owner?.startsWith("s_")) return produced;
  return { ...produced, [sessionOfOwner(event.owner)]: event.state.digest };
}

function countersAfter(counters: PathHead["counters"], event: JournalEvent): PathHead["counters"] {
  const next: Record<string, { generated: number; overridden: number }> = { ...counters };
  const add = (session: string, generated: number, overridden: number) => {
    const old = next[session] ?? { generated: 0, overridden: 0 };
    next[session] = { generated: old.generated + generated, overridden: old.overridden + overridden };
  };
  if (event.owner?.startsWith("s_") && event.takenLines)
    add(sessionOfOwner(event.owner), event.takenLines, 0);
  for (const [session, lines] of Object.entries(event.overridden ?? {})) {
    if (session.startsWith("s_")) add(session, 0, lines);
  }
  return next;
}
