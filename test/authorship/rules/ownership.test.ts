import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyEdit, type Edit } from "../../../src/authorship/rules/ownership.ts";
import { diffSequences } from "../../../src/authorship/rules/sequence-diff.ts";
import { splitLines } from "../../../src/base/text/lines.ts";
import { decodeLineOwners, encodeLineOwners, type OwnerKey } from "../../../src/journal/line-owners.ts";

const agent = "s_aaaaaaaaaaaaaa::t_11111111111111";
const other = "s_bbbbbbbbbbbbbb::t_22222222222222";
const human = "h_cccccccccccccc";
const byAgent: Edit = { author: agent, kind: "agent" };
const byHuman: Edit = { author: human, kind: "person" };
const byNobody: Edit = { author: null, kind: "person" };

/** "A", "B", "K" and "." stand for the agent, another agent, the known human and nobody. */
const letters: Record<string, OwnerKey> = { A: agent, B: other, K: human, ".": null };
const letterOf = (owner: OwnerKey) => Object.keys(letters).find((letter) => letters[letter] === owner) ?? "?";

/** Lines as "A text": the letter is the owner before the edit. Returns the letters after it. */
function edited(before: readonly string[], after: string, edit: Edit): string {
  const content = Buffer.from(before.map((line) => line.slice(2)).join(""));
  const runs = encodeLineOwners(before.map((line) => letters[line[0] ?? ""] ?? null));
  const result = applyEdit({ content, runs }, Buffer.from(after), edit);
  return decodeLineOwners(result.runs, splitLines(Buffer.from(after)).length)
    .map(letterOf)
    .join("");
}

describe("an agent's edit", () => {
  test("owns only the lines it changed", () => {
    expect(edited([". a\n", ". b\n", ". c\n"], "a\nX\nc\n", byAgent)).toBe(".A.");
  });

  test("owns a line from which it removed one parameter", () => {
    expect(edited([". f(a)\n", ". g(x, y)\n"], "f(a)\ng(x)\n", byAgent)).toBe(".A");
  });

  test("owns what it re-indented, and not the closing line that stayed as it was", () => {
    const after = "fn run() {\n  if (ready) {\n    do_work();\n  }\n}\n";
    expect(edited([". if (ready) {\n", ".   do_work();\n", ". }\n"], after, byAgent)).toBe("AAAA.");
  });

  test("owns the line it joined from two", () => {
    expect(edited([". a b\n", ". c\n", ". d\n"], "a b c\nd\n", byAgent)).toBe("A.");
  });

  test("leaves identical lines between changed ones to their owner", () => {
    expect(edited([". key1: a\n", "K ---\n", ". key2: b\n"], "key1: x\n---\nkey2: y\n", byAgent)).toBe("AKA");
  });

  test("takes the last line that gains its newline, as git sees it", () => {
    expect(edited([". one\n", ". two"], "one\ntwo\nthree", byAgent)).toBe(".AA");
    expect(edited([". one\n", ". two\n"], "one\ntwo\nthree\n", byAgent)).toBe("..A");
  });

  test("does not own lines whose line ends alone were converted", () => {
    expect(edited([". a\n", "K b\n"], "a\r\nb\r\n", byAgent)).toBe(".K");
  });

  test("does not own a block that it moved unchanged", () => {
    const block = ["K one()\n", "K two()\n", "K three()\n"];
    const after = "x\ny\nz\nw\none()\ntwo()\nthree()\n";
    expect(edited([...block, ". x\n", ". y\n", ". z\n", ". w\n"], after, byAgent)).toBe("....KKK");
  });
});

describe("a person's edit", () => {
  test("takes the line in which one token changed", () => {
    expect(
      edited(["A const total = items.length * price\n"], "const total = items.length * unitPrice\n", byHuman),
    ).toBe("K");
  });

  test("leaves a re-indented or reformatted line to its owner", () => {
    expect(edited(["A f(a,b)\n", "A g()\n"], "  f(a, b)\n\tg()\n", byHuman)).toBe("AA");
  });

  test("leaves a line that was split or joined by a formatter to its owner", () => {
    expect(edited(["A f(aaa, bbb, ccc)\n"], "f(\n  aaa,\n  bbb,\n  ccc\n)\n", byHuman)).toBe("AAAAA");
    expect(edited(["A f(\n", "A   a\n", "A )\n"], "f(a)\n", byHuman)).toBe("A");
  });

  test("makes a line joined from two owners nobody's", () => {
    expect(edited(["A a\n", "B b\n"], "a b\n", byHuman)).toBe(".");
  });

  test("takes a line from which a word was removed", () => {
    expect(edited(["A return a + b\n"], "return a\n", byHuman)).toBe("K");
  });

  test("takes only the edited line of an agent's block", () => {
    const before = ["A one\n", "A two\n", "A three x\n", "A four\n", "A five\n"];
    expect(edited(before, "one\ntwo\nthree y\nfour\nfive\n", byHuman)).toBe("AAKAA");
  });

  test("owns appended lines, and the agent keeps its last line though it gained a newline", () => {
    expect(edited(["A one"], "one\ntwo", byHuman)).toBe("AK");
  });

  test("that nobody saw turns changed lines into nobody's and keeps the others", () => {
    expect(edited(["A one\n", "A two\n"], "one\n2\nthree\n", byNobody)).toBe("A..");
  });

  test("moving and re-indenting a block keeps its owner", () => {
    const after = "p\nq\nr\nif (x) {\n  one()\n  two()\n  three()\n}\n";
    expect(edited(["A one()\n", "A two()\n", "A three()\n", ". p\n", ". q\n", ". r\n"], after, byHuman)).toBe(
      "...KAAAK",
    );
  });
});

test("lines that somebody else changed or removed are counted for the session that had them", () => {
  const before = {
    content: Buffer.from("a\nb\nc\nd\n"),
    runs: [
      [3, agent],
      [1, other],
    ] as const,
  };
  const result = applyEdit(before, Buffer.from("a\nB\nd\n"), byHuman);
  expect(Object.fromEntries(result.overridden)).toEqual({ s_aaaaaaaaaaaaaa: 2 });
  expect(applyEdit(before, Buffer.from("a\nB\nd\n"), byAgent).overridden.size).toBe(0);
});

const lineNumber = fc.integer({ min: 0, max: 6 });
const sequence = fc.array(lineNumber, { maxLength: 40 });

test("the changes between any two sequences turn one into the other", () => {
  fc.assert(
    fc.property(sequence, sequence, (before, after) => {
      const rebuilt: number[] = [];
      let oldAt = 0;
      for (const change of diffSequences(Uint32Array.from(before), Uint32Array.from(after))) {
        expect(change.oldCount + change.newCount).toBeGreaterThan(0);
        rebuilt.push(...before.slice(oldAt, change.oldStart));
        expect(rebuilt.length).toBe(change.newStart);
        rebuilt.push(...after.slice(change.newStart, change.newStart + change.newCount));
        oldAt = change.oldStart + change.oldCount;
      }
      rebuilt.push(...before.slice(oldAt));
      expect(rebuilt).toEqual(after);
    }),
  );
});

test("a long sequence, split at unique elements, still turns one into the other", () => {
  const before = Uint32Array.from({ length: 12_000 }, (_, index) => (index % 3 === 0 ? 0 : index));
  const after = Uint32Array.from([...before.slice(6000), ...before.slice(0, 6000), 99_999]);
  let oldAt = 0;
  const rebuilt: number[] = [];
  for (const change of diffSequences(before, after)) {
    rebuilt.push(
      ...before.slice(oldAt, change.oldStart),
      ...after.slice(change.newStart, change.newStart + change.newCount),
    );
    oldAt = change.oldStart + change.oldCount;
  }
  expect([...rebuilt, ...before.slice(oldAt)]).toEqual([...after]);
});

// The oracle: every line is one unique character that carries its owner for life, so a list of
// characters and owners, edited by hand, says what every rule must answer.
test("over any series of edits with unique lines, each line belongs to whoever put it there", () => {
  type Step = { at: number; remove: number; insert: number; author: "A" | "B" | "K" | "." };
  const step: fc.Arbitrary<Step> = fc.record({
    at: fc.nat(30),
    remove: fc.nat(4),
    insert: fc.nat(4),
    author: fc.constantFrom("A", "B", "K", "."),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
      let nextCharacter = 0x4e00;
      let model: { text: string; letter: string }[] = [];
      let state = { content: Buffer.alloc(0), runs: encodeLineOwners([]) };
      for (const { at, remove, insert, author } of steps) {
        const fresh = Array.from({ length: insert }, () => ({
          text: `${String.fromCodePoint(nextCharacter++)}\n`,
          letter: author,
        }));
        const start = Math.min(at, model.length);
        model = [...model.slice(0, start), ...fresh, ...model.slice(start + remove)];
        const content = Buffer.from(model.map((line) => line.text).join(""));
        const kind = author === "A" || author === "B" ? "agent" : "person";
        state = {
          content,
          runs: [...applyEdit(state, content, { author: letters[author] ?? null, kind }).runs],
        };
        const owners = decodeLineOwners(state.runs, model.length).map(letterOf).join("");
        expect(owners).toBe(model.map((line) => line.letter).join(""));
      }
    }),
  );
});

test("any bytes can be edited into any bytes, with one owner per line", () => {
  const bytes = fc
    .uint8Array({ maxLength: 80 })
    .map((array) => Buffer.from(array.map((byte) => (byte % 5 === 0 ? 10 : byte))));
  fc.assert(
    fc.property(bytes, bytes, fc.constantFrom(byAgent, byHuman, byNobody), (before, after, edit) => {
      const result = applyEdit({ content: before, runs: [[splitLines(before).length, other]] }, after, edit);
      expect(result.runs.reduce((sum, [count]) => sum + count, 0)).toBe(splitLines(after).length);
      expect(result.sources.count).toBe(splitLines(after).length);
    }),
  );
});
