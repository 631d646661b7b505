import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { agentsTable } from "../support/agents/agents-table.ts";

const page = new URL("../../docs/agents.md", import.meta.url);

test("docs/agents.md holds the table of agents as code and tests have it (KEYFRAME_UPDATE_DOCS=1 writes it)", () => {
  const text = readFileSync(page, "utf8");
  const [before = "", , after = ""] = text.split(/(?<=<!-- agents: begin -->\n)|(?=<!-- agents: end -->)/);
  const whole = `${before}${agentsTable()}\n${after}`;
  if (process.env["KEYFRAME_UPDATE_DOCS"]) writeFileSync(page, whole);
  else expect(text).toBe(whole);
});
