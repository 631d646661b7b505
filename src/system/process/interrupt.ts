import { setMaxListeners } from "node:events";

/** A signal that fires at the first SIGINT or SIGTERM, so that work can be ended in order; a second one ends the process. */
export function interruptSignal(reason: () => Error): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every request of the command listens
  const onSignal = () => {
    stop();
    controller.abort(reason());
  };
  function stop(): void {
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  }
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { signal: controller.signal, stop };
}
