import type { Duplex } from "node:stream";
import type { GuestCommand } from "../guest/command.ts";

/**
 * Makes a connection of this machine and one of the guest's into one. Each direction ends by itself; an error of
 * either resets the other. Resolves when it is over.
 */
export async function joinConnection(here: Duplex, inGuest: GuestCommand): Promise<void> {
  here.on("error", () => inGuest.cancel());
  here.once("close", () => {
    if (!here.readableEnded || !here.writableFinished) inGuest.cancel();
  });
  inGuest.stdin.on("error", () => here.destroy());
  here.pipe(inGuest.stdin);
  inGuest.stdout.pipe(here);
  inGuest.stderr.resume(); // sockets have none
  const isOrderly = await inGuest.exited.then(
    (exit) => exit.kind === "code",
    () => false,
  );
  // an orderly end has ended both directions already, and what is queued still leaves
  if (!isOrderly) here.destroy();
}
