import { findRepository, type Repository } from "../git/repository.ts";
import { nodeMachine, traceMachine } from "../system/machine/machine.ts";
import { createRunRecorder } from "../trace/run-recorder.ts";
import { type CliContext, nodeCliContext } from "./command/context.ts";
import { describeError, exitCodeOf } from "./command/errors.ts";
import { usageExitCode } from "./command/exit-codes.ts";
import { rawCommands } from "./raw-commands.ts";

/** Not of interest to whoever asks where time went. */
const untraced: ReadonlySet<string> = new Set(["trace", "complete-words", "completion", "version"]);

/** Runs one command line and sets the exit code of the process. */
export async function main(commandLine: readonly string[]): Promise<void> {
  const argv = commandLine[0] === "--version" ? ["version", ...commandLine.slice(1)] : commandLine;
  const recorder = createRunRecorder(nodeMachine);
  const context = nodeCliContext(traceMachine(nodeMachine, recorder.trace));
  endQuietlyWhenPipeCloses();
  const [first = ""] = argv;
  const raw = rawCommands[first];
  const isTraced = !untraced.has(first) && !argv.includes("--help");
  if (isTraced) recorder.setPlace(findPlace(context));
  if (argv.length === 0 || (argv.length === 1 && ["--help", "-h", "help"].includes(first))) {
    const { groupedHelp, readBriefs } = await import("./command-groups.ts");
    process.stdout.write(groupedHelp(readBriefs()));
  } else if (raw === undefined || argv.includes("--help")) {
    // the framework is loaded only where it is used: a raw command starts faster without it
    const [{ run }, { application, commandName }] = await recorder.trace.span("load", () =>
      Promise.all([import("@stricli/core"), import("./application.ts")]),
    );
    recorder.setName(commandName(argv));
    recorder.watch();
    await run(application, argv, context);
    // the framework's own codes for a wrong command line are negative
    if (Number(process.exitCode ?? 0) < 0) process.exitCode = usageExitCode;
  } else {
    recorder.setName(first);
    recorder.watch();
    try {
      const command = await recorder.trace.span("load", raw);
      await command(context, argv.slice(1));
    } catch (error) {
      context.terminal.note(describeError(error));
      process.exitCode = exitCodeOf(error);
    }
  }
  recorder.close(Number(process.exitCode ?? 0) === 0 ? "done" : "failed");
}

function findPlace(context: CliContext): Repository | undefined {
  try {
    return findRepository(context.cwd, context);
  } catch {
    return undefined; // a directory that may not be read: the command itself says so, if it needs it
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
