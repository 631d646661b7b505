import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { mustSucceed } from "../../sandbox/guest/output.ts";

/**
 * A file of a guest as a response body, once its first bytes are there: a file that is not there is an error here, not
 * a cut answer. `done` is called when it is read, given up or broken off.
 */
export async function guestFileBody(
  guest: GuestChannel,
  path: string,
  options: { readonly user?: string; readonly done: () => void },
): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly isEmpty: boolean }> {
  const command = guest.getFile(path, options);
  command.stdin.end();
  command.stderr.resume();
  const pieces = (command.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    const first = await pieces.next();
    if (first.done === true) {
      await mustSucceed(command, `read ${path}`);
      options.done();
      return { body: new Blob([]).stream(), isEmpty: true };
    }
    let next: IteratorResult<Buffer> | undefined = first;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const piece = next ?? (await pieces.next());
            next = undefined;
            if (piece.done !== true) return controller.enqueue(piece.value);
            await mustSucceed(command, `read ${path}`);
            options.done();
            controller.close();
          } catch (error) {
            options.done();
            controller.error(error);
          }
        },
        cancel() {
          command.cancel();
          options.done();
        },
      },
      { highWaterMark: 0 },
    );
    return { body, isEmpty: false };
  } catch (error) {
    command.cancel();
    options.done();
    throw error;
  }
}
