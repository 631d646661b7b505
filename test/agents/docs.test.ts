import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { agentsTable } from "../support/agents/agents-table.ts";
import { conformanceTable } from "../support/agents/conformance-table.ts";

const page = new URL("../../docs/agents.md", import.meta.url);

test.each([
  ["agents", agentsTable],
  ["conformance", conformanceTable],
])(
  "docs/agents.md holds the table of %s as code and tests have it (KEYFRAME_UPDATE_DOCS=1 writes it)",
  (name, table) => {
    const text = readFileSync(page, "utf8");
    const mark = `<!-- ${name}: begin -->\n`;
    const begin = text.indexOf(mark) + mark.length;
    const end = text.indexOf(`<!-- ${name}: end -->`);
    expect(end).toBeGreaterThanOrEqual(begin);
    const whole = `${text.slice(0, begin)}${table()}\n${text.slice(end)}`;
    if (process.env["KEYFRAME_UPDATE_DOCS"]) writeFileSync(page, whole);
    else expect(text).toBe(whole);
  },
);
