import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeJsonDocument } from "../../../src/base/json-document.ts";
import { parseSessionMetadata } from "../../../src/checkpoints/record/metadata.ts";
import { parseSummaryText } from "../../../src/workflows/summarize/summary-text.ts";

const redact = (text: string) => text.replaceAll("hunter2", "REDACTED");
/** What the readers of a record make of it. */
const read = (text: string) => {
  const summary = parseSummaryText(text, redact);
  if (summary === undefined) return undefined;
  return parseSessionMetadata(Buffer.from(encodeJsonDocument(new Map([["summary", summary]]))))?.summary;
};

describe("what a program says of a conversation", () => {
  test("as plain words is the outcome, on one line", () => {
    expect(read("  Rates are\n  limited now.\n")).toMatchObject({
      intent: undefined,
      outcome: "Rates are limited now.",
      openItems: [],
    });
  });

  test("as a JSON object is taken member by member", () => {
    const said = {
      intent: "limit rates",
      outcome: "done",
      learnings: {
        repo: ["r"],
        code: [{ path: "a.ts", line: 3, finding: "f" }, { path: "b" }],
        workflow: "none",
      },
      friction: ["slow", 3, ""],
      open_items: ["test it"],
      other: "left out",
    };
    expect(read(JSON.stringify(said))).toEqual({
      intent: "limit rates",
      outcome: "done",
      repoLearnings: ["r"],
      codeLearnings: [{ path: "a.ts", line: 3, finding: "f" }],
      workflowLearnings: [],
      friction: ["slow"],
      openItems: ["test it"],
    });
  });

  test("has its secrets taken out, and what drives a terminal", () => {
    expect(read("\u001b[31mthe password is hunter2\u202e")?.outcome).toBe("the password is REDACTED");
    expect(read('{"intent":"use hunter2"}')?.intent).toBe("use REDACTED");
  });

  test.each(["", " \n", "{}", '{"outcome":3}'])("%j says nothing", (text) => {
    expect(read(text)).toBeUndefined();
  });

  test("never makes a record that is too large, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const summary = parseSummaryText(text, redact);
        if (summary !== undefined) expect(encodeJsonDocument(summary).length).toBeLessThan(2_000_000);
      }),
    );
    expect(read("x".repeat(100_000))?.outcome).toHaveLength(4000);
  });
});
