import { KeyframeError } from "../../base/errors.ts";
import { parseAccelerator } from "../../sandbox/qemu/acceleration.ts";
import type { SnapshotStores } from "../../server/context/context.ts";
import { keptSecret } from "../../server/context/kept-secret.ts";
import { startServer } from "../../server/start-server.ts";
import { machineFacts } from "../../system/machine/machine-facts.ts";
import type { SocketAddress } from "../../system/net/sockets.ts";
import { waitForStopSignal } from "../../system/process/stop-signal.ts";
import type { CliContext } from "../command/context.ts";
import { withImages } from "../image/open/open-repository.ts";
import { storeLocation } from "../image/store-location.ts";
import { resolvePath, sandboxContextOf } from "../sandbox/context.ts";

export interface ServeFlags {
  readonly port?: number;
  readonly host?: string;
  readonly socket?: string;
  readonly store?: readonly string[];
  readonly requireToken?: boolean;
  readonly withoutToken?: boolean;
  readonly json?: boolean;
}

const defaultPort = 7070;
const leastTokenChars = 16;

/** Serves until SIGINT or SIGTERM. */
export async function serve(this: CliContext, flags: ServeFlags): Promise<void> {
  const stopped = waitForStopSignal();
  const sandboxContext = sandboxContextOf(this);
  const address = addressOf(this, flags);
  const localOnly = "path" in address || isLoopback(address.host ?? "");
  const given = tokenFrom(this.env["KEYFRAME_TOKEN"]);
  const needsToken = mustHaveToken(flags, address, localOnly) || given !== undefined;
  const kept = needsToken && given === undefined ? keptSecret(sandboxContext, "api-token") : undefined;
  const server = await startServer(sandboxContext, {
    address,
    token: given ?? kept?.secret,
    localOnly,
    accelerator: parseAccelerator(this.env["KEYFRAME_ACCELERATOR"]),
    isRoot: machineFacts.isRoot,
    stores: snapshotStores(this, flags.store ?? []),
  });
  const url = urlOf(server.address);
  if (flags.json) this.terminal.json({ url, token: needsToken });
  else this.terminal.out(url);
  if (kept !== undefined) this.terminal.note(`the token is in ${kept.path}`);
  await stopped;
  await server.stop();
}

/**
 * A unix socket is this user's only. A port, loopback's too, is open to every user of the machine, so it goes without a
 * token only where the user says so.
 */
function mustHaveToken(flags: ServeFlags, address: SocketAddress, localOnly: boolean): boolean {
  if (flags.withoutToken !== true) return !("path" in address) || flags.requireToken === true;
  if (localOnly && flags.requireToken !== true) return false;
  throw new KeyframeError(
    "usage",
    "--without-token is for a loopback address, and goes without --require-token",
  );
}

/** Opened for each use: credentials and directories may change while the server runs. */
function snapshotStores(context: CliContext, given: readonly string[]): SnapshotStores {
  const locations = new Map(
    given.map((text) => {
      const at = text.indexOf("=");
      if (at < 1 || at === text.length - 1) {
        throw new KeyframeError("usage", `--store takes name=location: ${text}`, {
          hint: "for example --store backups=s3://bucket/snapshots",
        });
      }
      return [text.slice(0, at), storeLocation(context, text.slice(at + 1))] as const;
    }),
  );
  return {
    names: [...locations.keys()],
    async use(name, work) {
      const location = locations.get(name);
      if (location === undefined) {
        throw new KeyframeError("not-found", `this server has no store ${JSON.stringify(name)}`, {
          hint: "it can be started with `--store name=location`",
        });
      }
      return withImages(context, { store: location }, ({ repository, signal }) =>
        work({ repository, location, signal }),
      );
    },
  };
}

function addressOf(context: CliContext, flags: ServeFlags): SocketAddress {
  if (flags.socket !== undefined) {
    if (flags.port !== undefined || flags.host !== undefined) {
      throw new KeyframeError("usage", "--socket goes without --port and --host");
    }
    return { path: resolvePath(context, flags.socket) };
  }
  const port = flags.port ?? defaultPort;
  if (port > 65_535) throw new KeyframeError("usage", `${port} is not a port`);
  return { port, host: flags.host ?? "127.0.0.1" };
}

/** By its digits: a name may mean another machine tomorrow. */
function isLoopback(host: string): boolean {
  return /^127(?:\.\d{1,3}){3}$/.test(host) || host === "::1";
}

function tokenFrom(given: string | undefined): string | undefined {
  if (given === undefined || given === "") return undefined;
  if (given.length >= leastTokenChars && /^[\x21-\x7e]+$/.test(given)) return given;
  throw new KeyframeError(
    "usage",
    `KEYFRAME_TOKEN must be at least ${leastTokenChars} printable characters without spaces`,
    { hint: "for example the output of `openssl rand -hex 32`" },
  );
}

function urlOf(address: SocketAddress): string {
  if ("path" in address) return `unix:${address.path}`;
  const host = address.host ?? "127.0.0.1";
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
