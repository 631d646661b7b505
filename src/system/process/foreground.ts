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
