/**
 * The pieces of a stream until it ends or the signal fires, whichever is first: a stream that ignores its signal
 * cannot hold up its reader.
 */
export async function* pieces(stream: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = stream[Symbol.asyncIterator]();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  aborted.catch(() => undefined);
  let finished = false;
  try {
    if (signal.aborted) throw signal.reason;
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted]);
      if (result.done === true) {
        finished = true;
        return;
      }
      yield result.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // not awaited: a generator that is stuck in its own await would never answer
    if (!finished) iterator.return?.()?.then(undefined, () => undefined);
  }
}
