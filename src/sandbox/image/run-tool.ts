import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { KeyframeError } from "../../base/errors.ts";
import type { SandboxContext } from "../store/home.ts";

const hourMs = 60 * 60 * 1000;
const maxErrorText = 2000;

/** Runs a program that an image is made with to its end; `program-failed` unless it ends with 0. */
export async function runTool(
  context: SandboxContext,
  program: string,
  args: readonly string[],
): Promise<Buffer> {
  const result = await context.processes.run(program, args, { timeoutMs: hourMs });
  if (result.code === 0 && result.signal === undefined) return result.stdout;
  throw toolFailed(program, result, result.stderr);
}

/** The same with its input from a stream, whose failure is reported before the program's. */
export async function feedTool(
  context: SandboxContext,
  program: string,
  args: readonly string[],
  input: AsyncIterable<Buffer>,
): Promise<void> {
  const child = context.processes.start(program, args);
  child.stdout.resume();
  const errors = collectText(child.stderr);
  const fed = await pipeline(Readable.from(input, { objectMode: false }), child.stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  // a program that ends early breaks its pipe; its own words say more
  if (fed instanceof KeyframeError) child.kill("SIGKILL");
  const exit = await child.exited;
  if (fed instanceof KeyframeError) throw fed;
  if (exit.code !== 0 || exit.signal !== undefined) throw toolFailed(program, exit, errors());
  if (fed !== undefined) throw fed;
}

/** What a program prints, as it comes; the program is ended with the reading. */
export async function* outputOf(
  context: SandboxContext,
  program: string,
  args: readonly string[],
): AsyncGenerator<Buffer> {
  const child = context.processes.start(program, args);
  child.stdin.on("error", () => undefined); // it takes no input
  child.stdin.end();
  const errors = collectText(child.stderr);
  let finished = false;
  try {
    for await (const piece of child.stdout as AsyncIterable<Buffer>) yield piece;
    const exit = await child.exited;
    finished = true;
    if (exit.code !== 0 || exit.signal !== undefined) throw toolFailed(program, exit, errors());
  } finally {
    if (!finished) child.kill("SIGKILL");
  }
}

function collectText(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (piece: string) => {
    text = (text + piece).slice(-maxErrorText);
  });
  return () => text;
}

function toolFailed(
  program: string,
  exit: { readonly code: number; readonly signal: string | undefined },
  stderr: string,
): KeyframeError {
  return new KeyframeError(
    "program-failed",
    `${program} ended with ${exit.signal ?? exit.code}: ${stderr.trim().slice(-maxErrorText)}`,
  );
}
