import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { agentsTable } from "../support/agents/agents-table.ts";

const mark = (where: string) => `<!-- agents: ${where} -->${where === "begin" ? "\n" : ""}`;
const page = new URL("../../docs/agents.md", import.meta.url);

test("docs/agents.md holds the table of agents as code and tests have it (KEYFRAME_UPDATE_DOCS=1 writes it)", () => {
  const text = readFileSync(page, "utf8");
  const begin = text.indexOf(mark("begin")) + mark("begin").length;
  const end = text.indexOf(mark("end"));
  expect(end).toBeGreaterThanOrEqual(begin);
  const whole = `${text.slice(0, begin)}${agentsTable()}\n${text.slice(end)}`;
  if (process.env["KEYFRAME_UPDATE_DOCS"]) writeFileSync(page, whole);
  else expect(text).toBe(whole);
});
