import { once } from "node:events";
import type { Readable } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import { cleanText } from "../../base/text/clean-text.ts";
import { withGuest } from "../../sandbox/guest/session.ts";
import { findSandbox, mustRun } from "../../sandbox/store/sandbox-store.ts";
import type { CliContext } from "../command/context.ts";
import { sandboxContextOf } from "../sandbox/context.ts";

const maxLineBytes = 4096;

/** What git may ask a machine's repository for. */
const services: readonly string[] = ["git-upload-pack", "git-receive-pack"];

/**
 * `git-remote-keyframe <remote> <sandbox>/<path>`: how git fetches from, pushes to and clones a repository inside a
 * machine, as `keyframe::<sandbox>/<path>` (gitremote-helpers(7), "connect"). The conversation of the two gits goes
 * over the guest channel: the machine needs no network.
 */
export async function remoteHelper(context: CliContext, [, url = ""]: readonly string[]): Promise<void> {
  try {
    await converse(context, url);
  } finally {
    // git keeps its end open until this program is gone
    globalThis.process.stdin.destroy();
  }
}

async function converse(context: CliContext, url: string): Promise<void> {
  const { sandbox, path } = parseUrl(url);
  const { stdin, stdout } = globalThis.process;
  const lines = new LineReader(stdin);
  for (;;) {
    const line = await lines.next();
    if (line === undefined || line === "") return;
    if (line === "capabilities") stdout.write("connect\n\n");
    else {
      const service = /^connect (\S+)$/.exec(line)?.[1] ?? "";
      if (!services.includes(service))
        throw new KeyframeError("unsupported", `a machine's repository has no ${JSON.stringify(line)}`);
      stdout.write("\n");
      await lines.release();
      return connect(context, { sandbox, service, path, rest: lines.rest() });
    }
  }
}

async function connect(
  context: CliContext,
  to: { readonly sandbox: string; readonly service: string; readonly path: string; readonly rest: Buffer },
): Promise<void> {
  const sandboxContext = sandboxContextOf(context);
  const record = findSandbox(sandboxContext, to.sandbox);
  mustRun(sandboxContext, record);
  const { stdin, stdout, stderr } = globalThis.process;
  await withGuest(sandboxContext, record, async (guest) => {
    // whoever owns the repository in there, it is the user who asks
    const argv = ["git", "-c", "safe.directory=*", to.service.slice("git-".length), to.path];
    const command = guest.run({ argv, env: record.env });
    command.stdin.on("error", () => undefined); // it ended: its exit code tells
    command.stdin.write(to.rest);
    stdin.pipe(command.stdin);
    stdin.resume();
    // what the guest's git says reaches the user's terminal
    command.stderr.setEncoding("utf8").on("data", (piece: string) => stderr.write(cleanText(piece)));
    for await (const piece of command.stdout as AsyncIterable<Buffer>) {
      if (!stdout.write(piece)) await once(stdout, "drain");
    }
    const exit = await command.exited;
    stdin.unpipe(command.stdin);
    if (exit.kind === "code" && exit.code === 0) return;
    throw new KeyframeError(
      "guest-failed",
      `${to.service} in ${to.sandbox} ended with ${describeEnd(exit)}`,
      {
        hint: `\`keyframe sandbox exec ${to.sandbox} -- git --version\` shows whether the image has git`,
      },
    );
  });
}

function describeEnd(exit: {
  readonly kind: string;
  readonly code?: number;
  readonly signal?: number;
}): string {
  return exit.kind === "code" ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

function parseUrl(url: string): { readonly sandbox: string; readonly path: string } {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)(\/.+)$/.exec(url);
  if (match === null)
    throw new KeyframeError("usage", `${JSON.stringify(url)} does not name a repository in a sandbox`, {
      hint: "for example keyframe::work/root/project",
    });
  return { sandbox: match[1] ?? "", path: match[2] ?? "" };
}

/** Lines of a stream, and then what came behind the last one that was read. */
class LineReader {
  readonly #pieces: AsyncIterator<Buffer>;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#pieces = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffered.indexOf(0x0a);
      if (end !== -1) {
        const line = this.#buffered.toString("utf8", 0, end);
        this.#buffered = this.#buffered.subarray(end + 1);
        return line;
      }
      if (this.#buffered.length > maxLineBytes)
        throw new KeyframeError("too-large", "git sent too long a line");
      const { done, value } = await this.#pieces.next();
      if (done === true) return undefined;
      this.#buffered = Buffer.concat([this.#buffered, value]);
    }
  }

  /** The stream is somebody else's from here on. */
  async release(): Promise<void> {
    await this.#pieces.return?.();
  }

  rest(): Buffer {
    return this.#buffered;
  }
}
