import { join } from "node:path";
import * as z from "zod";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { connectUnixSocket } from "../../system/net/unix-socket.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { SandboxId } from "../ids.ts";
import { machineFiles } from "../qemu/qemu-arguments.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SandboxRecord } from "../store/records.ts";
import { type PortForward, readForwards } from "./port-forwards.ts";

/** What is asked of a sidecar, one JSON line each. */
export const sidecarRequest = z.discriminatedUnion("do", [
  z.object({ do: z.literal("list") }),
  z.object({
    do: z.literal("forward"),
    hostPort: z.int().min(0).max(65535),
    guestPort: z.int().min(1).max(65535),
  }),
  z.object({ do: z.literal("close"), hostPort: z.int().min(1).max(65535) }),
]);
export type SidecarRequest = z.infer<typeof sidecarRequest>;

const sidecarAnswer = z.object({
  forwards: z.array(z.object({ hostPort: z.number(), guestPort: z.number() })).optional(),
  refused: z.object({ code: z.enum(["refused", "not-found", "io-failed"]), text: z.string() }).optional(),
});

type KeptSandbox = Pick<SandboxRecord, "id" | "name" | "network" | "idleMs">;

const startTimeoutMs = 30_000;
const retryMs = 20;

/**
 * Whether a process beside the machine is needed: to carry the guest's connections or forwarded ports, or to stop the
 * sandbox when it is idle. Nothing is resident otherwise.
 */
export function needsSidecar(context: SandboxContext, record: KeptSandbox): boolean {
  return (
    record.network !== undefined || record.idleMs !== undefined || readForwards(context, record.id).length > 0
  );
}

/** Held by the sidecar while it lives. */
export function sidecarLock(id: SandboxId): string {
  return `sidecar-${id}`;
}

/** Starts the sidecar if the sandbox needs one and has none, also after one was killed. */
export async function ensureSidecar(context: SandboxContext, record: KeptSandbox): Promise<void> {
  if (needsSidecar(context, record)) await askSidecar(context, record, { do: "list" });
}

/** Asks the sandbox's sidecar, which is started if there is none. Returns the forwarded ports. */
export async function askSidecar(
  context: SandboxContext,
  record: KeptSandbox,
  request: SidecarRequest,
): Promise<readonly PortForward[]> {
  // one that is about to end, because nobody needed it any more, may not answer: the next one does
  const text = (await askOnce(context, record, request)) || (await askOnce(context, record, request));
  if (text === "")
    throw new KeyframeError("guest-gone", `the sidecar of ${record.id} ended without an answer`);
  const answer = sidecarAnswer.parse(JSON.parse(text));
  if (answer.refused !== undefined) throw new KeyframeError(answer.refused.code, answer.refused.text);
  return answer.forwards ?? [];
}

async function askOnce(
  context: SandboxContext,
  record: KeptSandbox,
  request: SidecarRequest,
): Promise<string> {
  const connection = await connectSidecar(context, record);
  return new Promise((resolve) => {
    let heard = "";
    connection.on("data", (piece: Buffer) => {
      heard += piece.toString("utf8");
    });
    connection.on("error", () => undefined); // the close tells it
    connection.once("close", () => resolve(heard));
    connection.write(`${JSON.stringify(request)}\n`);
  });
}

async function connectSidecar(context: SandboxContext, record: KeptSandbox) {
  const folder = context.home.sandboxFolder(record.id);
  const path = join(folder, machineFiles.sidecar);
  const connect = () =>
    connectUnixSocket(path).catch((error: unknown) => {
      if (!isKeyframeError(error, "not-found")) throw error;
    });
  const logPath = join(folder, machineFiles.sidecarLog);
  const giveUpAtMs = context.clock.monotonicMs() + startTimeoutMs;
  let child: { endedWith?: number } | undefined;
  for (;;) {
    const there = await connect();
    if (there !== undefined) return there;
    if ((child?.endedWith ?? 0) !== 0 || context.clock.monotonicMs() > giveUpAtMs) {
      const log = context.files.readIfExists(logPath)?.toString("utf8").trim().slice(-1000) ?? "";
      throw new KeyframeError("guest-failed", `the sidecar of ${record.id} did not start: ${log}`, {
        hint: `its log is ${logPath}`,
      });
    }
    // 0: there was another one, which may be there now or about to end
    if (child === undefined || child.endedWith === 0) child = await startSidecar(context, record, logPath);
    await context.clock.sleep(retryMs);
  }
}

async function startSidecar(context: SandboxContext, record: KeptSandbox, logPath: string) {
  const state: { endedWith?: number } = {};
  const { exited } = await startDetached(
    context.program.node,
    [context.program.entry, "sandbox", "keep", record.id],
    {
      logPath,
      cwd: context.home.sandboxFolder(record.id),
      env: { ...process.env, KEYFRAME_SANDBOX_HOME: context.home.root },
    },
  );
  void exited.then((code) => {
    state.endedWith = code;
  });
  return state;
}
