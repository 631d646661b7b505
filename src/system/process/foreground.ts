import { constants } from "node:os";

/** Leaves SIGINT and SIGQUIT of the terminal to the program that runs in it; the result takes them again. */
export function ignoreInterrupts(): () => void {
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  process.on("SIGQUIT", ignore);
  return () => {
    process.removeListener("SIGINT", ignore);
    process.removeListener("SIGQUIT", ignore);
  };
}

/** Hands the signals that ask this process to end on to the program that it stands for; the result stops that. */
export function forwardSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const names: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"];
  const handlers = names.map((name) => [name, () => send(name)] as const);
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.removeListener(name, handler);
  };
}

/** The exit code of a program as a shell gives it: 128 and the signal's number for one that a signal ended. */
export function shellExitCode({
  code,
  signal,
}: {
  readonly code: number;
  readonly signal: string | undefined;
}): number {
  const number = signal === undefined ? undefined : constants.signals[signal as NodeJS.Signals];
  return number === undefined ? code : 128 + number;
}
