import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { switchFlag } from "../command/flags.ts";

export interface LspFlags {
  readonly everywhere?: boolean;
  readonly stdio?: boolean;
}

export const lspCommand = buildCommand<LspFlags, [], CliContext>({
  loader: async () => (await import("./lsp.ts")).lsp,
  parameters: {
    flags: {
      everywhere: switchFlag(
        "Record saves also where Keyframe was not enabled, except where it was disabled",
      ),
      stdio: switchFlag("Speak on standard input and output, which it always does (editors pass this)"),
    },
  },
  docs: {
    brief: "Serve editors: saves become known human lines; owner and prompt as hover, lens and inlay",
    fullDescription:
      "A language server on standard input and output. What a person typed into an open document and saved is recorded as theirs. It shows the owner of lines, the prompt behind them and their conversation as hover, code lenses and inlay hints. Settings for Neovim, Helix, Zed, Emacs and VS Code are in docs/editors.md.\n\nExample:\n  keyframe lsp",
  },
});
