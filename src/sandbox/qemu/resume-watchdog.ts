import { KeyframeError } from "../../base/errors.ts";
import type { RunningProcess } from "../../system/process/processes.ts";
import { maxPauseMs } from "../limits.ts";
import type { SandboxContext } from "../store/home.ts";
import { machineFiles } from "./qemu-arguments.ts";

/**
 * A process beside this one that continues a stopped guest when this one dies, hangs or forgets: it holds a monitor
 * of its own and this process's pipe. It is ready before the guest is stopped.
 */
export interface ResumeWatchdog {
  /** From here on the guest may be stopped, for at most `maxPauseMs`. */
  arm(): void;
  /** The guest runs, or is meant to stay stopped: nothing is left to watch. */
  dismiss(): void;
}

export async function startResumeWatchdog(
  context: SandboxContext,
  machineFolder: string,
): Promise<ResumeWatchdog> {
  const child = context.processes.start(process.execPath, [
    "-e",
    watchdogProgram,
    `${machineFolder}/${machineFiles.watchdog}`,
    String(maxPauseMs),
  ]);
  child.stdin.on("error", () => undefined); // it ended: the pause is then guarded by this process alone
  await ready(child);
  return {
    arm: () => void child.stdin.write("arm\n"),
    dismiss: () => void child.stdin.end("done\n"),
  };
}

function ready(child: RunningProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (piece: Buffer) => {
      said += piece.toString("latin1");
      if (said.includes("ready")) resolve();
    });
    let complaint = "";
    child.stderr.on("data", (piece: Buffer) => {
      complaint += piece.toString("utf8");
    });
    child.exited.then(
      ({ code }) =>
        reject(
          new KeyframeError(
            "hypervisor-failed",
            `the watchdog of the pause ended with ${code}: ${complaint.slice(0, 500)}`,
          ),
        ),
      reject,
    );
  });
}

/** Kept as text because it runs in a process of its own, from source and from the bundle alike. */
const watchdogProgram = `
const [path, limit] = process.argv.slice(1);
const socket = require("node:net").connect(path);
let text = "", timer;
const send = (execute) => socket.write(JSON.stringify({ execute, id: execute }) + "\\n");
const rescue = () => send("query-status");
socket.setEncoding("utf8");
socket.on("data", (piece) => {
  text += piece;
  for (let end; (end = text.indexOf("\\n")) >= 0; text = text.slice(end + 1)) {
    const message = JSON.parse(text.slice(0, end));
    if (message.QMP) send("qmp_capabilities");
    else if (message.id === "qmp_capabilities") process.stdout.write("ready\\n");
    else if (message.id === "query-status") {
      if (message.return && message.return.status === "paused") send("cont");
      else process.exit(0);
    } else if (message.id === "cont") process.exit(0);
  }
});
socket.on("error", (error) => { process.stderr.write(String(error)); process.exit(1); });
socket.on("close", () => process.exit(0));
let heard = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (piece) => {
  heard += piece;
  if (heard.includes("done")) process.exit(0);
  if (heard.includes("arm") && timer === undefined) timer = setTimeout(rescue, Number(limit));
});
process.stdin.on("end", () => { if (!heard.includes("done")) rescue(); });
process.stdin.on("error", rescue);
process.stdout.on("error", () => undefined);
`;
