// Covers src/lsp/** and src/cli/lsp/**: a real Neovim, driven without a screen, beside an agent's hooks.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { hasNeovim, type Neovim, startNeovim } from "../support/editors/neovim.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let editor: Neovim;

beforeAll(async () => {
  if (!hasNeovim) return;
  repository = createTestRepository();
  for (const name of ["mixed.txt", "meanwhile.txt", "unseen.txt"]) repository.write(name, "first\nlast\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
  editor = await startNeovim(repository);
});
afterAll(async () => {
  if (!hasNeovim) return;
  await editor.stop();
  repository.remove();
});

/** One letter a line: an agent, a person, or unknown. */
function owners(path: string): string {
  const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as {
    blame: { owner: { kind: string } | null }[];
  };
  return blame.map(({ owner }) => (owner?.kind ?? "unknown").charAt(0)).join("");
}

test.skipIf(!hasNeovim)(
  "a typed and saved line is the person's, an agent's edit in the open file stays the agent's",
  async () => {
    editor.edit("mixed.txt");
    editor.type("ggotyped by hand<Esc>");
    editor.lua(`vim.cmd("write") return true`);
    expect(editor.hover(2)).toContain("Person `Ann Müller <ann@example.com>`");

    const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-0000000000e1");
    await session.prompt("add a line for `the` agent");
    const path = join(repository.folder, "mixed.txt");
    await session.write("mixed.txt", `${readFileSync(path, "utf8")}by the agent\n`);
    editor.lua(`vim.cmd("checktime") return vim.api.nvim_buf_line_count(0)`);
    expect(editor.lua("return vim.api.nvim_buf_line_count(0)")).toBe(4);
    // a save of what came from the disk says nothing
    editor.lua(`vim.cmd("write!") return true`);
    expect(editor.hover(4)).toContain("Agent `claude claude-test-1`");
    expect(editor.hover(4)).toContain("add a line for `the` agent");

    editor.type("Gotyped later<Esc>");
    // what is not saved yet has no owner, and the lines around it keep theirs
    expect(editor.hover(5)).toBe("");
    expect(editor.hover(4)).toContain("Agent");
    editor.lua(`vim.cmd("write") return true`);
    expect(editor.hover(5)).toContain("Person");
    session.say("done");
    await session.stop();
    repository.commit("mixed");
    expect(owners("mixed.txt")).toBe("uhuah");
    expect(editor.hover(4)).toMatch(/Conversation: `keyframe explain [0-9a-f]{12}`/);
  },
);

test.skipIf(!hasNeovim)("lenses name the prompt and open the conversation", () => {
  const lenses = editor.lua(`
    local params = { textDocument = { uri = vim.uri_from_bufnr(0) } }
    return vim.lsp.buf_request_sync(0, "textDocument/codeLens", params, 20000)[kf].result`) as {
    range: { start: { line: number } };
    command: { title: string; command: string; arguments: string[] };
  }[];
  expect(lenses.map(({ range, command }) => [range.start.line, command.title])).toEqual([
    [3, "claude claude-test-1: add a line for `the` agent"],
  ]);
  const { path } = editor.lua(`
    local params = { command = "keyframe.openConversation", arguments = vim.fn.json_decode(${JSON.stringify(
      JSON.stringify(lenses[0]?.command.arguments),
    )}) }
    return vim.lsp.buf_request_sync(0, "workspace/executeCommand", params, 20000)[kf].result`) as {
    path: string;
  };
  const text = readFileSync(path, "utf8");
  expect(text).toContain("## User\n\nadd a line for `the` agent");
  expect(text).toContain("done");
});

test.skipIf(!hasNeovim)("a save while an agent writes the same file says nothing", async () => {
  editor.edit("meanwhile.txt");
  const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-0000000000e2");
  await session.prompt("write meanwhile");
  const path = join(repository.folder, "meanwhile.txt");
  const call = { tool_name: "Edit", tool_use_id: "t1", tool_input: { file_path: path } };
  await session.hook("PreToolUse", call);
  editor.type("ggoin the middle of a call<Esc>");
  editor.lua(`vim.cmd("write") return true`);
  editor.hover(1);
  appendFileSync(path, "agent\n");
  await session.hook("PostToolUse", call);
  await session.stop();
  repository.commit("meanwhile");
  expect(owners("meanwhile.txt")).not.toContain("h");
});

test.skipIf(!hasNeovim)("what an unseen program wrote into the open file is nobody's after a save", () => {
  editor.edit("unseen.txt");
  const path = join(repository.folder, "unseen.txt");
  writeFileSync(path, "first\nby a program\nlast\n");
  editor.lua(`vim.cmd("checktime") return true`);
  editor.type("Gotyped<Esc>");
  editor.lua(`vim.cmd("write") return true`);
  editor.hover(1);
  repository.commit("unseen");
  expect(owners("unseen.txt")).toBe("uuuh");
});

test.skipIf(!hasNeovim)("nothing is recorded where Keyframe is switched off", () => {
  repository.keyframe(["disable"]);
  editor.edit("off.txt");
  editor.type("itext<Esc>");
  editor.lua(`vim.cmd("write") return true`);
  editor.hover(1);
  repository.commit("off");
  expect(owners("off.txt")).toBe("u");
});
