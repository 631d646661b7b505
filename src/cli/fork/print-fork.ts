import { resumeCommandOf } from "../../agents/conversations/conversation-place.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Fork } from "../../timeline/fork/fork.ts";
import type { ForkRecord } from "../../timeline/fork/fork-record.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";

/** A fork with the commands that continue its conversations. */
export function withCommands(fork: Fork) {
  return { ...fork, continueWith: commandsOf(fork) };
}

function commandsOf({ path, sessions }: ForkRecord): string[] {
  return sessions.flatMap(({ tool, session }) => {
    const command = resumeCommandOf(tool, session);
    return command === undefined ? [] : [`cd ${shellQuote(path)} && ${command}`];
  });
}

export function printFork({ terminal }: CliContext, fork: Fork): void {
  const { name, path, branch, owned, copied, problems } = fork;
  terminal.out(
    `${terminal.style("yellow", name)}  ${printable(path)}  ${branch.slice("refs/heads/".length)}`,
  );
  if (owned.length > 0)
    terminal.out(`  owners of uncommitted lines in ${owned.length} ${owned.length === 1 ? "file" : "files"}`);
  if (copied.length > 0)
    terminal.out(
      `  copied ${copied.map(printable).slice(0, 5).join(", ")}${copied.length > 5 ? ", ..." : ""}`,
    );
  for (const problem of problems) terminal.note(`  ${printable(problem)}`);
  const commands = commandsOf(fork);
  if (commands.length === 0) terminal.out(`  Continue in it: cd ${shellQuote(path)}`);
  for (const command of commands) terminal.out(`  Continue with: ${command}`);
}
