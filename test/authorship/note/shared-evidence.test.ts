import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeAuthorshipLog, parseAuthorshipLog } from "../../../src/authorship/note/log-codec.ts";
import { traceDetails } from "../../../src/authorship/note/owners.ts";

type Traces = Readonly<Record<string, unknown>>;
const agent = (id: string) => ({ agent_id: { tool: "claude", id, model: "m" } });
const sessions = { s_1: agent("1"), s_2: agent("2") };

/** A log of one line an edit, in the order given, with these records. */
function logOf(keys: readonly string[], traces: Traces, keyframe: object = {}) {
  const entries = keys.map((key, index) => ({ key, ranges: [{ first: index + 1, last: index + 1 }] }));
  const metadata = {
    schema_version: "authorship/3.0.0",
    prompts: {},
    sessions,
    keyframe: { ...keyframe, traces },
  };
  return { files: [{ path: "f", entries }], metadata: JSON.parse(JSON.stringify(metadata)) };
}
const parse = (text: string) => parseAuthorshipLog(Buffer.from(text));
const extension = (text: string) => JSON.parse(text.slice(text.indexOf("---\n") + 4)).keyframe;
const edit = { evidence: "edit" };
const shell = { evidence: "shell" };

describe("evidence that edits of a session share", () => {
  const keys = ["s_1::t_1", "s_1::t_2", "s_1::t_3", "s_1::t_4"];

  test("is said once, the others one by one, and each is read again", () => {
    const prompted = { evidence: "edit", prompt: "why" };
    const traces = { t_1: edit, t_2: shell, t_3: edit, t_4: edit, t_5: prompted };
    const text = encodeAuthorshipLog(logOf([...keys, "s_1::t_5"], traces, { sessions: {} }));
    expect(extension(text)).toEqual({
      sessions: {},
      traces: { t_2: shell, t_5: prompted },
      evidence: { s_1: { kind: "edit", count: 3 } },
    });
    expect(extension(text)).not.toHaveProperty("evidence.s_2");
    const read = parse(text).log.metadata["keyframe"];
    expect(read).toEqual({ sessions: {}, traces });
  });

  test.each([
    ["two edits only", ["s_1::t_1", "s_1::t_2"], { t_1: edit, t_2: edit }],
    ["an edit without a record", keys, { t_1: edit, t_2: edit, t_3: edit }],
    ["an edit of two sessions", [...keys.slice(0, 3), "s_2::t_3"], { t_1: edit, t_2: edit, t_3: edit }],
  ])("is not said for all: %s", (_title, of, traces) => {
    expect(extension(encodeAuthorshipLog(logOf(of, traces)))).toEqual({ traces });
  });

  test("is nobody's where the note has other edits by now than were counted", () => {
    const text = encodeAuthorshipLog(logOf(keys, { t_1: edit, t_2: edit, t_3: edit, t_4: edit }));
    for (const changed of [
      text.replace("\n---", "\n  s_1::t_9 9\n---"),
      text.replace("  s_1::t_2 2\n", ""),
    ]) {
      expect(changed).not.toBe(text);
      expect(traceDetails(parse(changed).log.metadata, "t_1")).toBeUndefined();
    }
  });

  test.each([
    ["not an object", "edit"],
    ["without a count", { s_1: { kind: "edit" } }],
    ["without a kind", { s_1: { count: 4 } }],
    ["of a session that is not there", { s_9: { kind: "edit", count: 4 } }],
    ["of a strange name", { __proto__: { kind: "edit", count: 4 }, constructor: { kind: "edit", count: 0 } }],
  ])("is nobody's where it is damaged: %s", (_title, evidence) => {
    const text = encodeAuthorshipLog(logOf(keys, {})).replace(
      '"traces": {}',
      `"evidence": ${JSON.stringify(evidence)}`,
    );
    expect(traceDetails(parse(text).log.metadata, "t_1")).toBeUndefined();
  });

  test("changes nothing that is read, and the text is the same when it is written again", () => {
    const id = fc.integer({ min: 1, max: 9 });
    const record = fc.constantFrom(edit, shell, { evidence: "edit", prompt: "p" }, {}, { kind: 1 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.constantFrom("s_1", "s_2"), id), { selector: String, maxLength: 12 }),
        fc.dictionary(
          id.map((n) => `t_${n}`),
          record,
        ),
        (owned, traces) => {
          const log = logOf(
            owned.map(([session, n]) => `${session}::t_${n}`),
            traces,
          );
          const text = encodeAuthorshipLog(log);
          const again = parse(text).log;
          for (let n = 1; n <= 9; n += 1)
            expect(traceDetails(again.metadata, `t_${n}`)).toEqual(traceDetails(log.metadata, `t_${n}`));
          expect(encodeAuthorshipLog(again)).toBe(text);
        },
      ),
    );
  });

  test("keeps a note of a thousand edits at about the length of its entries", () => {
    const session = `s_${"1".repeat(14)}`;
    const edits = Array.from({ length: 1000 }, (_, n) => `t_${String(n).padStart(14, "0")}`);
    const log = logOf(
      edits.map((trace) => `${session}::${trace}`),
      Object.fromEntries(edits.map((trace) => [trace, edit])),
    );
    const metadata = { ...log.metadata, sessions: { [session]: agent("1") } };
    const text = encodeAuthorshipLog({ ...log, metadata });
    expect(text.length - text.indexOf("---")).toBeLessThan(1024);
    expect(traceDetails(parse(text).log.metadata, edits[999] ?? "")).toMatchObject(edit);
  });
});
