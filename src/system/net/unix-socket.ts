import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { KeyframeError } from "../../base/errors.ts";
import { errnoOf } from "../files/files.ts";
import { listenPrivately } from "./sockets.ts";

/** Connects to a socket in the file system. `not-found` while nobody listens there: the caller may try again. */
export function connectUnixSocket(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    const onError = (error: Error) => {
      const errno = errnoOf(error);
      const absent = errno === "ENOENT" || errno === "ECONNREFUSED";
      reject(
        new KeyframeError(absent ? "not-found" : "io-failed", `cannot connect to ${path}: ${error.message}`, {
          cause: error,
        }),
      );
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

/** Listens on a socket in the file system until closed. */
export function listenUnixSocket(
  path: string,
  onConnection: (connection: Duplex) => void,
): Promise<{ close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer(onConnection);
    server.once("error", reject);
    listenPrivately(server, path, () =>
      resolve({ close: () => new Promise((closed) => server.close(() => closed(undefined))) }),
    );
  });
}
