import { createConnection } from "vscode-languageserver/node";
import { keyframeVersion } from "../../base/version.ts";
import { withFetched } from "../../checkpoints/remote/fetch/fetched-stores.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import { borrowFetched } from "../../git/fetched-objects.ts";
import { openGit } from "../../git/git.ts";
import { serveEditor } from "../../lsp/serve-editor.ts";
import { settleEverything } from "../../workflows/settle-and-finish.ts";
import type { CliContext } from "../command/context.ts";
import type { LspFlags } from "./lsp-command.ts";

/** `keyframe lsp`: until the editor says `exit` or goes away. */
export function lsp(this: CliContext, flags: LspFlags): Promise<void> {
  const connection = createConnection(process.stdin, process.stdout);
  serveEditor(connection, {
    machine: this,
    version: keyframeVersion,
    everywhere: flags.everywhere === true,
    openContext: (repository) => {
      const git = openGit(repository, this.processes, this.env);
      const stores = withFetched(openCheckpointStores(git), git, this.files);
      return { git: borrowFetched(git, this.files), stores, files: this.files };
    },
    settle: async ({ git }) =>
      void (await settleEverything(openGit(git.repository, this.processes, this.env), this)),
  });
  return new Promise((resolve) => process.stdin.once("close", resolve));
}
