import { join } from "node:path";
import type { Duplex } from "node:stream";
import { isKeyframeError } from "../../base/errors.ts";
import { connectTcp, ownAddresses, resolveAddresses } from "../../system/net/tcp.ts";
import { listenUnixSocket } from "../../system/net/unix-socket.ts";
import { type GuestSession, openGuestSession } from "../guest/session.ts";
import type { SandboxId } from "../ids.ts";
import { openPortForwards, type PortForwards } from "../network/port-forwards.ts";
import { createNetworkRelay } from "../network/relay.ts";
import { parseNetworkRule } from "../network/rules.ts";
import { needsSidecar, type SidecarRequest, sidecarLock, sidecarRequest } from "../network/sidecar-client.ts";
import { machineFiles } from "../qemu/qemu-arguments.ts";
import { lockInHome, type SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { findSandbox, mustRun } from "../store/sandbox-store.ts";
import { stopWhenIdle } from "./idle-limit.ts";

const connectTimeoutMs = 15_000;
const maxRequestBytes = 4096;

/**
 * The one process that stays beside a machine, for as long as it is needed and the machine runs. It holds nothing
 * that is not in the sandbox's files: after a kill -9 the next command starts another one, which goes on with the
 * same ports.
 */
export async function runSidecar(context: SandboxContext, id: SandboxId): Promise<void> {
  const lock = await lockInHome(context, sidecarLock(id), 0).catch((error: unknown) => {
    if (!isKeyframeError(error, "lock-busy")) throw error;
  });
  if (lock === undefined) return; // another one does it
  const record = findSandbox(context, id);
  mustRun(context, record);
  const session = await openGuestSession(context, record, { sidecar: true });
  try {
    await serve(context, record, session);
  } finally {
    await session.close();
    await lock.release();
  }
}

async function serve(context: SandboxContext, record: SandboxRecord, session: GuestSession): Promise<void> {
  const { guest } = session;
  const forwards = await openPortForwards(context, record.id, guest);
  if (record.network !== undefined) {
    guest.serveNetwork(
      createNetworkRelay(
        record.network.allow.map(parseNetworkRule),
        {
          connect: (target) => connectTcp(target, connectTimeoutMs),
          resolve: resolveAddresses,
          ownAddresses,
        },
        context.warn,
      ),
    );
  }
  // what was said before is heard before this answer
  await guest.ping();
  const path = join(context.home.sandboxFolder(record.id), machineFiles.sidecar);
  context.files.remove(path); // of a sidecar that was killed: this one has the lock
  let finish: () => void = () => undefined;
  const unneeded = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const server = await listenUnixSocket(path, (connection) => {
    answer(connection, forwards).then(() => {
      if (!needsSidecar(context, record)) finish();
    }, context.warn);
  });
  const ends = [guest.closed, unneeded];
  const idle = new AbortController();
  if (record.idleMs !== undefined) {
    ends.push(
      stopWhenIdle(context, record.idleMs, { record, ownPort: session.port, forwards, signal: idle.signal }),
    );
  }
  try {
    await Promise.race(ends);
  } finally {
    idle.abort();
    await server.close();
    forwards.release();
  }
}

/** One request, one answer. Only this user can connect: the directory is private. */
async function answer(connection: Duplex, forwards: PortForwards): Promise<void> {
  connection.on("error", () => undefined); // whoever asked is gone
  const text = await new Promise<string>((resolve) => {
    let heard = "";
    connection.on("data", (piece: Buffer) => {
      heard += piece.toString("utf8");
      if (heard.includes("\n") || heard.length > maxRequestBytes) resolve(heard);
    });
    connection.once("close", () => resolve(heard));
  });
  connection.end(`${JSON.stringify(await obey(text, forwards))}\n`);
}

async function obey(text: string, forwards: PortForwards): Promise<object> {
  try {
    await carryOut(sidecarRequest.parse(JSON.parse(text)), forwards);
    return { forwards: forwards.list() };
  } catch (error) {
    const code = isKeyframeError(error, "refused", "not-found") ? error.code : "io-failed";
    return { refused: { code, text: error instanceof Error ? error.message : String(error) } };
  }
}

async function carryOut(request: SidecarRequest, forwards: PortForwards): Promise<void> {
  if (request.do === "forward") await forwards.add(request);
  else if (request.do === "close") forwards.close(request.hostPort);
}
