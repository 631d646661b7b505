import type { SessionFiles } from "../record/checkpoint-tree.ts";
import { pairSessions } from "./pair-sessions.ts";
import type { PlainRecord, PlainSession } from "./plain-record.ts";

/** Members that follow from the sessions, where the target has sessions of its own. */
const joinedMembers = ["checkpoints_count", "files_touched", "token_usage", "token_usage_version"];

/**
 * What of a record another one lacks or has otherwise, in words; nothing where it has everything. A transcript may
 * have gone on in the target: `isWithin` says whether it holds all of the source's.
 */
export async function compareRecords(
  source: PlainRecord,
  target: PlainRecord,
  isWithin: (ours: SessionFiles, theirs: SessionFiles) => Promise<boolean>,
): Promise<string[]> {
  const differing: string[] = [];
  const { pairs, lacking, extra } = pairSessions(source.sessions, target.sessions);
  for (const session of lacking) differing.push(`${nameOf(session)} is missing`);
  let isSame = extra.length === 0 && lacking.length === 0;
  for (const pair of pairs) {
    if (pair.isSame) {
      differing.push(...compareSession(pair.source, pair.target, target.store === "v2"));
      continue;
    }
    isSame = false;
    if (!(await isWithin(pair.source.files, pair.target.files)))
      differing.push(`the transcript of ${nameOf(pair.source)} differs`);
  }
  const order = pairs.map((pair) => target.sessions.indexOf(pair.target));
  if (extra.length === 0 && order.some((at, index) => at < (order[index - 1] ?? -1)))
    differing.push("its sessions are in another order");
  for (const [what, ours, theirs] of [
    ["subagent's file", source.tasks, target.tasks],
    ["file", source.others, target.others],
  ] as const) {
    const held = new Set(theirs);
    for (const file of new Set(ours)) {
      if (!held.has(file))
        differing.push(`${what} ${file.slice(0, file.lastIndexOf(" "))} is missing or differs`);
    }
  }
  for (const [key, text] of source.members) {
    if (target.members.get(key) !== text && (isSame || !joinedMembers.includes(key)))
      differing.push(`its member ${key} differs`);
  }
  return differing;
}

function compareSession(source: PlainSession, target: PlainSession, isV2: boolean): string[] {
  const differing: string[] = [];
  for (const key of new Set([...source.members.keys(), ...target.members.keys()])) {
    if (source.members.get(key) !== target.members.get(key))
      differing.push(`member ${key} of ${nameOf(source)} differs`);
  }
  for (const [what, oid] of source.contents) {
    if (target.contents.get(what) !== oid)
      differing.push(`${what} of ${nameOf(source)} is missing or differs`);
  }
  if (source.start !== undefined && target.start !== source.start)
    differing.push(`the start of ${nameOf(source)} differs`);
  // it follows from the raw transcript, where there is one: a store may do without
  const isOnly = source.files.transcript.length === 0;
  const isCarried = source.files.compact !== undefined && (source.hasWholeCompact || !isV2);
  if (isCarried && source.files.compact !== target.files.compact && (isOnly || target.files.compact))
    differing.push(`the compact transcript of ${nameOf(source)} differs`);
  return differing;
}

function nameOf({ sessionId, files }: PlainSession): string {
  return `session ${files.index}${sessionId === undefined ? "" : ` (${sessionId})`}`;
}
