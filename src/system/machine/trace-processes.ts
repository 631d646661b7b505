import type { Processes } from "../process/processes.ts";
import type { Trace } from "../trace.ts";

/** Processes whose runs are steps of a trace, each under its program's name and, for git, the command's. */
export function traceProcesses(processes: Processes, trace: Trace): Processes {
  return {
    async run(program, args, options) {
      const end = trace.step(stepName(program, args));
      try {
        const result = await processes.run(program, args, options);
        end();
        return result;
      } catch (error) {
        end("failed");
        throw error;
      }
    },
    runSync(program, args, options) {
      const end = trace.step(stepName(program, args));
      try {
        const result = processes.runSync(program, args, options);
        end();
        return result;
      } catch (error) {
        end("failed");
        throw error;
      }
    },
    start(program, args, options) {
      const end = trace.step(stepName(program, args), { alongside: true });
      const running = processes.start(program, args, options);
      running.exited.then(
        () => end(),
        () => end("failed"),
      );
      return running;
    },
    attach: (program, args, options) => processes.attach(program, args, options),
  };
}

/** Options before git's command that take the next word. */
const optionsWithValue = new Set(["-c", "-C", "--git-dir", "--work-tree"]);

function stepName(program: string, args: readonly string[]): string {
  if (program !== "git") return program.slice(program.lastIndexOf("/") + 1);
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? "";
    if (optionsWithValue.has(word)) index += 1;
    else if (!word.startsWith("-")) return `git ${word}`;
  }
  return program;
}
