import { expect, test } from "vitest";
import { titleOf } from "../../../src/transcripts/scan/title.ts";

test.each<[string, readonly string[], string | undefined]>([
  ["the first line", ["Add a login page\nwith two fields"], "Add a login page"],
  [
    "not what only leads in",
    ["Implement the following plan:\n\n# Add a login page\n\n- fields"],
    "Add a login page",
  ],
  [
    "not what only leads in, politely",
    ["Please fix the following error:\nlogin fails on Safari"],
    "login fails on Safari",
  ],
  ["not an agreement", ["yes", "ok, please", "Rename the table"], "Rename the table"],
  ["not a command of the agent", ["/compact", "Rename the table"], "Rename the table"],
  ["a command with a subject", ["/review the login page"], "/review the login page"],
  ["not code", ["```ts\nconst a = 1;\n```\nWhy is a constant?"], "Why is a constant?"],
  ["not context of an editor", ["<ide_opened_file>a.ts</ide_opened_file>Rename a"], "Rename a"],
  ["without its marks", ["\n\n## **Plan**\n- 1. Rename a"], "Plan"],
  ["what is there, if nothing says more", ["continue"], "continue"],
  [
    "a sentence that begins like one that leads in",
    ["Fix the error of the login page"],
    "Fix the error of the login page",
  ],
  ["a word in another script", ["修复登录"], "修复登录"],
  ["nothing", ["", "---", "```\ncode\n```"], undefined],
])("a title is %s", (_, prompts, title) => {
  expect(titleOf(prompts)).toBe(title);
});
