import { expect, test } from "vitest";
import { joinAgents } from "../../src/journal/join-agents.ts";

const agent = (model: string, id = "c") => ({ tool: "copilot", id, model });

test("what comes later counts, but does not take away a model that is known", () => {
  expect(joinAgents({ s_1: agent("unknown") }, { s_1: agent("m1") }, undefined)).toEqual({
    s_1: agent("m1"),
  });
  expect(joinAgents({ s_1: agent("m1") }, { s_1: agent("unknown") })).toEqual({ s_1: agent("m1") });
  expect(joinAgents({ s_1: agent("m1") }, { s_1: agent("m2") })).toEqual({ s_1: agent("m2") });
  expect(joinAgents({ s_1: agent("m1") }, { s_2: agent("unknown", "d") })).toEqual({
    s_1: agent("m1"),
    s_2: agent("unknown", "d"),
  });
});
