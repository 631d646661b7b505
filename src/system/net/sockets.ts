import { createConnection, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { isMainThread } from "node:worker_threads";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf, nodeFiles } from "../files/files.ts";

/** Where to listen or connect: a unix socket, or TCP on `host` (loopback by default; port 0 takes a free one). */
export type SocketAddress = { readonly path: string } | { readonly port: number; readonly host?: string };

export interface StreamSocketHandlers {
  /** The bytes are the handler's. */
  onData(bytes: Buffer): void;
  /** The connection is over, for whatever reason; nothing follows. */
  onClose(): void;
}

/** One connection. Its errors are a close: the other side is gone either way. */
export interface StreamSocket {
  /** Must be called before the event loop turns; a later call replaces the handlers. */
  handle(handlers: StreamSocketHandlers): void;
  write(bytes: Uint8Array, done?: () => void): void;
  /** Holds back what is written until `uncork`, so that it leaves in one system call. */
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  destroy(): void;
  /** Goes on as TLS, as the server; the socket that it answers takes the place of this one. */
  upgradeToTls(identity: TlsIdentity): Promise<StreamSocket>;
}

export interface TlsIdentity {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** PEM; clients must then show a certificate that it signed. */
  readonly clientAuthority?: string;
}

export interface SocketServer {
  readonly address: SocketAddress;
  /** Stops listening; connections go on until they end. */
  close(): Promise<void>;
}

export type ListenSocket = (
  address: SocketAddress,
  onConnection: (socket: StreamSocket) => void,
) => Promise<SocketServer>;

/** Listens. A unix socket that nobody answers on, left by a crash, is replaced; one in use is `refused`. */
export const listenNodeSocket: ListenSocket = async (address, onConnection) => {
  const server = createServer({ noDelay: true, pauseOnConnect: false }, (socket) =>
    onConnection(wrap(socket)),
  );
  const bound = await listenReplacing(server, address);
  return {
    address: bound,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};

/** As `listenNodeSocket`, for any kind of server; answers where it listens. */
export async function listenReplacing(server: Server, address: SocketAddress): Promise<SocketAddress> {
  try {
    await listen(server, address);
  } catch (error) {
    if (errnoOf(error) !== "EADDRINUSE" || !("path" in address) || !(await isAbandoned(address.path))) {
      throw listenError(error, address);
    }
    nodeFiles.remove(address.path);
    await listen(server, address).catch((again) => {
      throw listenError(again, address);
    });
  }
  return boundAddress(server, address);
}

/** Connects as a client. */
export function connectNodeSocket(address: SocketAddress): Promise<StreamSocket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(
      "path" in address ? { path: address.path } : { port: address.port, host: address.host ?? "127.0.0.1" },
    );
    const onError = (error: Error) =>
      reject(
        new KeyframeError("io-failed", `cannot connect to ${addressText(address)}: ${error.message}`, {
          cause: error,
        }),
      );
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      socket.setNoDelay(true);
      resolve(wrap(socket));
    });
  });
}

/** `unix:/path` or `host:port`. */
export function addressText(address: SocketAddress): string {
  return "path" in address ? `unix:${address.path}` : `${address.host ?? "127.0.0.1"}:${address.port}`;
}

function wrap(socket: Socket): StreamSocket {
  let handlers: StreamSocketHandlers | undefined;
  const onData = (bytes: Buffer) => handlers?.onData(bytes);
  const onClose = () => handlers?.onClose();
  // the "close" that follows tells the handlers
  const onError = () => undefined;
  socket.on("error", onError);
  return {
    handle(newHandlers) {
      const first = handlers === undefined;
      handlers = newHandlers;
      if (first) socket.on("data", onData).on("close", onClose);
    },
    write: (bytes, done) => void socket.write(bytes, done === undefined ? undefined : () => done()),
    cork: () => socket.cork(),
    uncork: () => socket.uncork(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    upgradeToTls(identity) {
      socket.off("data", onData).off("close", onClose);
      return secured(socket, identity);
    },
  };
}

/** Lets a TLS server that listens nowhere do the handshake: it checks the client's certificate as it should. */
function secured(socket: Socket, identity: TlsIdentity): Promise<StreamSocket> {
  const authority = identity.clientAuthority;
  const server = createTlsServer({
    cert: identity.certificate,
    key: identity.key,
    ...(authority === undefined ? {} : { ca: authority, requestCert: true, rejectUnauthorized: true }),
  });
  return new Promise((resolve, reject) => {
    server.once("secureConnection", (tls) => resolve(wrap(tls)));
    server.once("tlsClientError", reject);
    socket.once("close", () =>
      reject(new KeyframeError("closed", "the client left during the TLS handshake")),
    );
    server.emit("connection", socket);
  });
}

function listen(server: Server, address: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const listening = () => {
      server.off("error", reject);
      resolve();
    };
    if ("path" in address) listenPrivately(server, address.path, listening);
    else server.listen(address.port, address.host ?? "127.0.0.1", listening);
  });
}

/** True for a socket that nobody listens on any more; never for a file of another kind. */
function isAbandoned(path: string): Promise<boolean> {
  if (nodeFiles.statIfExists(path)?.kind !== "other") return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(errnoOf(error) === "ECONNREFUSED"));
  });
}

function boundAddress(server: Server, wanted: SocketAddress): SocketAddress {
  const bound = server.address();
  if (bound === null || typeof bound === "string" || "path" in wanted) return wanted;
  return { host: bound.address, port: bound.port };
}

/** sockaddr_un holds 108 bytes with the terminator. */
export const maxSocketPathBytes = 107;

/**
 * A socket that only this user can connect to, whatever the umask, from its first moment on.
 * @throws KeyframeError `refused` for a path that is too long: Node would cut it off and listen elsewhere
 */
export function listenPrivately(server: Server, path: string, listening: () => void): void {
  if (Buffer.byteLength(path) > maxSocketPathBytes)
    throw new KeyframeError("refused", `the path ${path} is too long for a socket`, {
      hint: `it may have ${maxSocketPathBytes} bytes: choose a home directory with a shorter path`,
    });
  const restore = narrowUmask();
  try {
    server.listen(path, () => {
      nodeFiles.setMode(path, 0o600);
      listening();
    });
  } finally {
    restore(); // the socket is made before `listen` returns
  }
}

/** A worker thread cannot change the umask: there the mode follows a moment later. */
function narrowUmask(): () => void {
  if (!isMainThread) return () => undefined;
  const before = process.umask(0o177);
  return () => void process.umask(before);
}

function listenError(error: unknown, address: SocketAddress): KeyframeError {
  if (error instanceof KeyframeError) return error;
  const text = addressText(address);
  if (errnoOf(error) === "EADDRINUSE") {
    return new KeyframeError("refused", `${text} is in use by another server`, {
      hint: "choose another socket or port, or stop the other server",
      cause: error,
    });
  }
  return new KeyframeError("io-failed", `cannot listen on ${text}`, { cause: error });
}
