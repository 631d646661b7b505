import { dirname, join, resolve } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { readPageAssets } from "../../server/page/assets.ts";
import { createPageHandler } from "../../server/page/page-handler.ts";
import { watchRepository } from "../../server/page/watch-repository.ts";
import { httpLimits } from "../../server/requests/limits.ts";
import { listenHttp } from "../../system/net/http-server.ts";
import type { SocketAddress } from "../../system/net/sockets.ts";
import { waitForStopSignal } from "../../system/process/stop-signal.ts";
import { randomHex } from "../../system/random.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { sandboxContextIfAny } from "../sandbox/context.ts";
import type { WebFlags } from "./web-command.ts";

/** Where the build puts the page: beside the entry. */
export function pageDirectory({ program }: CliContext): string {
  return join(dirname(program.entry), "web");
}

/** `keyframe web`: until SIGINT or SIGTERM. */
export async function web(this: CliContext, flags: WebFlags): Promise<void> {
  if (flags.socket !== undefined && (flags.port !== undefined || flags.withoutToken))
    throw new KeyframeError("usage", "--socket cannot be combined with --port and --without-token");
  const stopped = waitForStopSignal();
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const address: SocketAddress =
    flags.socket === undefined
      ? { port: flags.port ?? 0, host: "127.0.0.1" }
      : { path: resolve(this.cwd, flags.socket) };
  const token = "path" in address || flags.withoutToken ? undefined : randomHex(this.random, 32);
  const sandboxes = sandboxContextIfAny(this);
  const besides = (["sandboxes", "snapshots"] as const).flatMap((kind) => sandboxes?.home.folder(kind) ?? []);
  const handler = createPageHandler({
    context: { git, stores, files: this.files, ...(sandboxes === undefined ? {} : { sandboxes }) },
    assets: readPageAssets(this.files, pageDirectory(this)),
    access: { token, localOnly: true },
    changes: (signal) => watchRepository(git.repository, this.files, { signal, besides }),
  });
  const server = await listenHttp(address, handler, httpLimits);
  const at = server.address;
  // behind "#": it is not sent, not logged, and not in the history of a proxy
  const url =
    "path" in at ? at.path : `http://127.0.0.1:${at.port}/${token === undefined ? "" : `#token=${token}`}`;
  if (flags.json) this.terminal.json({ url });
  else this.terminal.out(url);
  if (!flags.noOpen && !flags.json && "port" in at && this.terminal.isInteractive) openBrowser(this, url);
  await stopped;
  server.cut();
  await server.close();
}

function openBrowser(context: CliContext, url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  context.processes.run(program, [url], { timeoutMs: 10_000 }).then(
    ({ code }) => {
      if (code !== 0) context.terminal.note("no browser could be opened: open the address yourself");
    },
    () => context.terminal.note("no browser could be opened: open the address yourself"),
  );
}
