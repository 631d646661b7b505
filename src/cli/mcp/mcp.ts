import { serveStdio } from "../../mcp/serve-stdio.ts";
import { streamStandardInput } from "../../system/machine/standard-input.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import type { McpFlags } from "./mcp-command.ts";

/** `keyframe mcp`: one repository, until the input ends. */
export async function mcp(this: CliContext, { skill }: McpFlags): Promise<void> {
  // all commands are named in it: loaded only for that
  if (skill === true) return this.terminal.out((await import("./skill.ts")).skillText().trimEnd());
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const write = (line: string) =>
    new Promise<void>((resolve) => void this.process.stdout.write(line, () => resolve()));
  await serveStdio({ git, stores, files: this.files }, streamStandardInput(), write);
}
