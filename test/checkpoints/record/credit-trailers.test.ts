import { expect, test } from "vitest";
import {
  addCheckpointTrailers,
  isOnlyTrailers,
  removeOwnTrailers,
} from "../../../src/checkpoints/record/commit-message.ts";
import {
  creditedAgent,
  creditTrailer,
  parseCreditStyle,
} from "../../../src/checkpoints/record/credit-trailers.ts";
import { parseCheckpointId } from "../../../src/checkpoints/record/ids.ts";

const id = parseCheckpointId("0123456789ab");
const agent = { tool: "codex", model: "gpt-5.5" };

test.each([
  ["assisted-by", agent, "Assisted-by: codex:gpt-5.5"],
  ["generated-by", agent, "Generated-by: codex:gpt-5.5"],
  ["co-authored-by", agent, "Co-authored-by: codex (gpt-5.5) <codex@agents.invalid>"],
  ["assisted-by", { tool: "auggie", model: "unknown" }, "Assisted-by: auggie"],
  ["co-authored-by", { tool: "auggie", model: "unknown" }, "Co-authored-by: auggie <auggie@agents.invalid>"],
  [
    "assisted-by",
    { tool: "droid", model: "custom:m\nSigned-off-by: <x>" },
    "Assisted-by: droid:custom:m-Signed-off-by:--x-",
  ],
] as const)("%s names %j as %s, and is read back", (style, who, line) => {
  expect(creditTrailer(style, who)).toBe(line);
  expect(creditedAgent(line)).toBe(who.tool);
});

test.each([
  "Assisted-by: Somebody Else",
  "Co-authored-by: Ann <ann@example.com>",
  "Co-authored-by: codex <claude@agents.invalid>",
  "assisted-by nobody",
])("%j names no agent of ours", (line) => {
  expect(creditedAgent(line)).toBeUndefined();
});

test("the setting takes three names, and is off with anything else", () => {
  expect(["Assisted-By", "generated-by", "co-authored-by", "off", "yes", ""].map(parseCreditStyle)).toEqual([
    "assisted-by",
    "generated-by",
    "co-authored-by",
    undefined,
    undefined,
    undefined,
  ]);
});

test("a message of nothing but ours is nobody's, and a credit alone is the user's own", () => {
  const credits = [creditTrailer("assisted-by", agent)];
  const style = { comment: "#" };
  const made = addCheckpointTrailers("\n# Please\n", { ids: [id], credits, style });
  expect(isOnlyTrailers(made, style)).toBe(true);
  expect(removeOwnTrailers(made)).not.toMatch(/Assisted|Entire/);
  expect(isOnlyTrailers(`${credits[0]}\n`, style)).toBe(false);
  const again = addCheckpointTrailers(`subject\n\n${credits[0]}\n`, { ids: [id], credits, style });
  expect(again.split("\n").filter((line) => line === credits[0])).toHaveLength(1);
});
