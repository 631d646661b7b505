import {
  isJsonObject,
  type Json,
  type JsonObject,
  numberField,
  objectField,
  stringField,
} from "../../base/json.ts";
import { splitAgentLineKey } from "./keys.ts";

/*
 * A session of a thousand edits would say a thousand times in its note how each was observed. Where the edits of a session
 * that the note names are recorded with nothing but one kind of evidence, the note says it once: `keyframe.evidence`, by
 * session, `{"kind": "edit", "count": 1000}`, and `keyframe.traces` lists only the others. The count keeps edits that
 * another tool adds to the note from being taken for observed ones.
 */

/** From this many edits on it is worth a record of its own. */
const minEdits = 3;

/** The metadata to write: evidence that edits of a session share is said once. `keys`: those of the note's entries. */
export function withSharedEvidence(metadata: JsonObject, keys: Iterable<string>): JsonObject {
  const extension = objectField(metadata, "keyframe");
  const traces = extension && objectField(extension, "traces");
  if (extension === undefined || traces === undefined) return metadata;
  const shared = new Map<string, Json>();
  const dropped = new Set<string>();
  const bySession = editsBySession(keys);
  const ambiguous = inSeveral([...bySession.values()]);
  for (const [session, edits] of bySession) {
    const most = mostShared(edits, traces, ambiguous);
    if (most === undefined || most.edits.length < minEdits) continue;
    shared.set(session, { kind: most.kind, count: most.edits.length });
    for (const trace of most.edits) dropped.add(trace);
  }
  if (shared.size === 0) return metadata;
  const listed = Object.entries(traces).filter(([trace]) => !dropped.has(trace));
  const { traces: _all, ...rest } = extension;
  const others = listed.length === 0 ? rest : { ...rest, traces: sorted(listed) };
  return { ...metadata, keyframe: { ...others, evidence: sorted([...shared]) } };
}

/** The metadata with a record for each edit again. */
export function withEvidenceOfEach(metadata: JsonObject, keys: Iterable<string>): JsonObject {
  const extension = objectField(metadata, "keyframe");
  const shared = extension && objectField(extension, "evidence");
  if (extension === undefined || shared === undefined) return metadata;
  const traces = objectField(extension, "traces") ?? {};
  const edits = editsBySession(keys);
  const found = Object.entries(shared).flatMap(([session, record]) => {
    const kind = isJsonObject(record) ? stringField(record, "kind") : undefined;
    const unlisted = [...(edits.get(session) ?? [])].filter((trace) => !Object.hasOwn(traces, trace));
    if (!isJsonObject(record) || kind === undefined || numberField(record, "count") !== unlisted.length)
      return [];
    return unlisted.map((trace): [string, Json] => [trace, { evidence: kind }]);
  });
  const { evidence: _shared, ...rest } = extension;
  return { ...metadata, keyframe: { ...rest, traces: sorted([...Object.entries(traces), ...found]) } };
}

function editsBySession(keys: Iterable<string>): Map<string, Set<string>> {
  const edits = new Map<string, Set<string>>();
  for (const key of keys) {
    const split = splitAgentLineKey(key);
    if (split?.trace === undefined) continue;
    const known = edits.get(split.session);
    if (known === undefined) edits.set(split.session, new Set([split.trace]));
    else known.add(split.trace);
  }
  return edits;
}

/** The kind of evidence that most of the edits are recorded with and nothing else; undefined if one has no record. */
function mostShared(
  edits: ReadonlySet<string>,
  traces: JsonObject,
  ambiguous: ReadonlySet<string>,
): { readonly kind: string; readonly edits: readonly string[] } | undefined {
  const byKind = new Map<string, string[]>();
  for (const trace of edits) {
    const record = objectField(traces, trace);
    if (record === undefined) return undefined;
    const kind = stringField(record, "evidence");
    if (kind === undefined || Object.keys(record).length > 1 || ambiguous.has(trace)) continue;
    const known = byKind.get(kind);
    if (known === undefined) byKind.set(kind, [trace]);
    else known.push(trace);
  }
  const [most] = [...byKind].sort(([a, of], [b, others]) => others.length - of.length || (a < b ? -1 : 1));
  return most === undefined ? undefined : { kind: most[0], edits: most[1] };
}

/** An edit belongs to one session; one that a damaged note gives to several is left as it is. */
function inSeveral(sets: readonly ReadonlySet<string>[]): Set<string> {
  const seen = new Set<string>();
  const several = new Set<string>();
  for (const set of sets) for (const each of set) (seen.has(each) ? several : seen).add(each);
  return several;
}

/** fromEntries defines fields, so that one named __proto__ stays a field. */
function sorted(fields: readonly (readonly [string, Json])[]): JsonObject {
  return Object.fromEntries([...fields].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
