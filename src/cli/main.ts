import { nodeCliContext } from "./context.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { usageExitCode } from "./exit-codes.ts";
import { rawCommands } from "./raw-commands.ts";

/** Runs one command line and sets the exit code of the process. */
export async function main(commandLine: readonly string[]): Promise<void> {
  const argv = commandLine[0] === "--version" ? ["version", ...commandLine.slice(1)] : commandLine;
  const context = nodeCliContext();
  endQuietlyWhenPipeCloses();
  const raw = rawCommands[argv[0] ?? ""];
  if (raw === undefined || argv.includes("--help")) {
    // the framework is loaded only where it is used: a raw command starts faster without it
    const [{ run }, { application }] = await Promise.all([
      import("@stricli/core"),
      import("./application.ts"),
    ]);
    await run(application, argv, context);
    // the framework's own codes for a wrong command line are negative
    if (Number(process.exitCode ?? 0) < 0) process.exitCode = usageExitCode;
    return;
  }
  try {
    const command = await raw();
    await command(context, argv.slice(1));
  } catch (error) {
    context.terminal.note(describeError(error));
    process.exitCode = exitCodeOf(error);
  }
}

/** `keyframe log | head` closes our output early: that is not an error. */
function endQuietlyWhenPipeCloses(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
}
