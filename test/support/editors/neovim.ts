import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keyframeProgram, type TestRepository } from "../test-repository.ts";

/** A real Neovim without a screen, with `keyframe lsp` as the language server of every file that it opens. */
export interface Neovim {
  /** Runs Lua in the editor and returns what it returns, through JSON. */
  lua(code: string): unknown;
  /** Opens a file and waits until the server knows it. */
  edit(path: string): void;
  /** Keys as a person types them in normal mode; `<Esc>` and the like as Vim writes them. */
  type(keys: string): void;
  /** Asks the server about a line, 1-based; everything sent before has been taken by then. */
  hover(line: number): string;
  stop(): Promise<void>;
}

export const hasNeovim = spawnSync("nvim", ["--version"]).status === 0;

export async function startNeovim(repository: TestRepository): Promise<Neovim> {
  const folder = mkdtempSync(join(tmpdir(), "kf-nvim-"));
  const socket = join(folder, "s");
  const env = { ...repository.env, XDG_STATE_HOME: folder, XDG_DATA_HOME: folder, TERM: "dumb" };
  const editor: ChildProcess = spawn("nvim", ["--headless", "--clean", "--listen", socket], {
    cwd: repository.folder,
    env,
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve) => editor.once("exit", () => resolve()));
  while (!existsSync(socket) && editor.exitCode === null) await sleep(10);
  let calls = 0;
  const lua = (code: string): unknown => {
    calls += 1;
    const path = join(folder, `${calls}.lua`);
    writeFileSync(path, `return vim.fn.json_encode(((function()\n${code}\nend)()))`);
    const args = ["--server", socket, "--remote-expr", `luaeval("dofile('${path}')")`];
    const { stdout, stderr, status } = spawnSync("nvim", args, { env, encoding: "utf8", timeout: 15_000 });
    if (status !== 0 || /^E\d+:/.test(stderr)) throw new Error(`nvim: ${stdout}${stderr}`);
    return JSON.parse(stdout.trim() === "" ? stderr : stdout);
  };
  lua(`
    vim.o.autoread = true
    vim.o.swapfile = false
    -- a file that changed under a changed buffer asks nobody here
    vim.cmd("autocmd FileChangedShell * let v:fcs_choice = ''")
    kf = vim.lsp.start_client({
      name = "keyframe",
      cmd = { ${JSON.stringify(process.execPath)}, ${JSON.stringify(keyframeProgram)}, "lsp" },
      root_dir = ${JSON.stringify(repository.folder)},
    })
    local isReady = function()
      local client = vim.lsp.get_client_by_id(kf)
      return client ~= nil and client.initialized == true
    end
    return vim.wait(20000, isReady, 10)`);
  const ask = (method: string, params: string) =>
    lua(`
      local answers = vim.lsp.buf_request_sync(0, "${method}", ${params}, 20000)
      return answers[kf] and answers[kf].result or vim.NIL`);
  const hover = (line: number): string => {
    const answer = ask(
      "textDocument/hover",
      `{ textDocument = { uri = vim.uri_from_bufnr(0) }, position = { line = ${line - 1}, character = 0 } }`,
    ) as { contents: { value: string } } | null;
    return answer?.contents.value ?? "";
  };
  return {
    lua,
    hover,
    edit(path) {
      lua(`
        vim.cmd("edit " .. vim.fn.fnameescape(${JSON.stringify(join(repository.folder, path))}))
        vim.lsp.buf_attach_client(0, kf)
        return true`);
      hover(1);
    },
    type(keys) {
      lua(`
        vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(${JSON.stringify(keys)}, true, false, true), "tx", false)
        return true`);
    },
    async stop() {
      lua(`vim.schedule(function() vim.cmd("qall!") end) return true`);
      const timer = setTimeout(() => editor.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
