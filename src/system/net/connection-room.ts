import type { Socket } from "node:net";

/**
 * Room for connections that wait: for the head of their first request, or for their next one. Anybody can open these,
 * so where there are too many of one peer, or in all, the one that waits longest makes room for the newcomer. A
 * connection whose request is being answered is never touched.
 */
export class ConnectionRoom {
  readonly #limits: { readonly most: number; readonly mostWaitingPerPeer: number };
  readonly #all = new Set<Socket>();
  /** Oldest first. */
  readonly #waiting = new Map<Socket, string>();
  readonly #waitingOf = new Map<string, number>();

  constructor(limits: { readonly most: number; readonly mostWaitingPerPeer: number }) {
    this.#limits = limits;
  }

  arrived(socket: Socket): void {
    const peer = socket.remoteAddress ?? "";
    if ((this.#waitingOf.get(peer) ?? 0) >= this.#limits.mostWaitingPerPeer) this.#dropOldest(peer);
    if (this.#all.size >= this.#limits.most && !this.#dropOldest()) {
      socket.destroy();
      return;
    }
    this.#all.add(socket);
    this.#wait(socket, peer);
    socket.once("close", () => this.#left(socket));
  }

  /** A request has come whole enough to be answered. */
  busy(socket: Socket): void {
    this.#stopWaiting(socket);
  }

  /** It was answered. */
  idle(socket: Socket): void {
    if (this.#all.has(socket) && !this.#waiting.has(socket)) this.#wait(socket, socket.remoteAddress ?? "");
  }

  #left(socket: Socket): void {
    this.#all.delete(socket);
    this.#stopWaiting(socket);
  }

  #wait(socket: Socket, peer: string): void {
    this.#waiting.set(socket, peer);
    this.#waitingOf.set(peer, (this.#waitingOf.get(peer) ?? 0) + 1);
  }

  #stopWaiting(socket: Socket): void {
    const peer = this.#waiting.get(socket);
    if (peer === undefined) return;
    this.#waiting.delete(socket);
    const left = (this.#waitingOf.get(peer) ?? 1) - 1;
    if (left > 0) this.#waitingOf.set(peer, left);
    else this.#waitingOf.delete(peer);
  }

  #dropOldest(of?: string): boolean {
    for (const [socket, peer] of this.#waiting) {
      if (of !== undefined && peer !== of) continue;
      this.#left(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}
