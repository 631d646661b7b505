import type { Duplex } from "node:stream";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { makeMemoryFolder } from "../../system/files/memory-directory.ts";
import { machineFacts } from "../../system/machine/machine-facts.ts";
import { maxSocketPathBytes } from "../../system/net/sockets.ts";
import { connectUnixSocket } from "../../system/net/unix-socket.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { ProcessTable } from "../../system/process/process-table.ts";
import type { Hypervisor, MachineAddress, MachineRequest, VirtualMachine } from "../hypervisor.ts";
import { maxDeviceStateBytes } from "../limits.ts";
import { planConfinement } from "./confine.ts";
import {
  diskDevice,
  diskNodeName,
  machineFiles,
  planLayerFile,
  planQemuArguments,
} from "./qemu-arguments.ts";
import { openQmp, type QmpClient } from "./qmp-client.ts";

export interface QemuContext {
  readonly files: Files;
  readonly clock: Clock;
  readonly processTable: ProcessTable;
}

const startTimeoutMs = 20_000;
const retryMs = 1;
const endingMs = 500;

/** QEMU's x86 microvm, as the distribution ships it. */
export function createQemu(context: QemuContext): Hypervisor {
  return {
    start: (request) => startMachine(context, request),
    async attach(address) {
      if (!context.processTable.isRunning(address.process)) {
        throw new KeyframeError("guest-gone", `the machine of ${address.folder} has ended`);
      }
      return openMachine(context, address, await openMonitor(context, address));
    },
  };
}

async function startMachine(context: QemuContext, request: MachineRequest): Promise<VirtualMachine> {
  const { files, processTable } = context;
  const longest = `${request.folder}/${machineFiles.watchdog}`;
  if (Buffer.byteLength(longest) > maxSocketPathBytes) {
    throw new KeyframeError("refused", `the path ${longest} is too long for a socket`, {
      hint: "set KEYFRAME_SANDBOX_HOME to a shorter directory",
    });
  }
  const args = planQemuArguments(request, request.start.kind === "boot" ? hostTscKhz(files) : 0);
  const confined = [
    ...planConfinement({
      shape: request.shape,
      platform: machineFacts.platform,
      status: files.readIfExists("/proc/self/status")?.toString("latin1") ?? "",
    }),
    "qemu-system-x86_64",
    ...args,
  ];
  const [program = "", ...allArgs] = withLifetime(confined, request.lifetimeMs);
  const logPath = `${request.folder}/${machineFiles.log}`;
  const child = await startDetached(program, allArgs, { logPath, cwd: request.folder });
  const ended = child.exited.then((code) => {
    const log = files.readIfExists(logPath)?.toString("utf8").trim().slice(-2000) ?? "";
    throw new KeyframeError("hypervisor-failed", `QEMU ended with exit code ${code}: ${log}`, {
      hint: `its log is ${logPath}`,
    });
  });
  ended.catch(() => undefined); // it may end long after anybody waits for it
  try {
    const monitor = await Promise.race([connectMonitor(context, request.folder), ended]);
    const process = processTable.identify(
      Number(files.read(`${request.folder}/${machineFiles.pid}`).toString("latin1")),
    );
    if (process === undefined) throw new KeyframeError("hypervisor-failed", "QEMU ended while it started");
    const address = { folder: request.folder, memoryPath: request.memoryPath, process };
    const machine = openMachine(context, address, monitor);
    if (request.start.kind === "restore") {
      const version = await machine.version();
      if (version !== request.start.hypervisor) {
        throw new KeyframeError(
          "refused",
          `the snapshot was made by ${request.start.hypervisor} and cannot be loaded by ${version}`,
        );
      }
      await Promise.race([loadDeviceState(request.folder, monitor, request.start.deviceState), ended]);
    }
    return machine;
  } catch (error) {
    const own = processTable.identify(child.pid);
    const qemu = processTable.identify(
      Number(files.readIfExists(`${request.folder}/${machineFiles.pid}`)?.toString("latin1") ?? -1),
    );
    if (own !== undefined) processTable.signal(own, "SIGKILL");
    if (qemu !== undefined) processTable.signal(qemu, "SIGKILL");
    // a monitor that closes says less than the end of the process, which follows it
    if (isKeyframeError(error, "hypervisor-failed"))
      await Promise.race([ended, context.clock.sleep(endingMs)]);
    throw error;
  }
}

/** A process of 1 MB that ends the machine in time, with nobody else alive. */
function withLifetime(words: readonly string[], lifetimeMs: number | undefined): readonly string[] {
  if (lifetimeMs === undefined) return words;
  return ["timeout", "--signal=KILL", `${(lifetimeMs / 1000).toFixed(3)}s`, ...words];
}

async function connectMonitor(context: QemuContext, folder: string): Promise<QmpClient> {
  const path = `${folder}/${machineFiles.control}`;
  return openQmp(await connectPatiently(context.clock, path), context.clock);
}

/** The socket appears some time after the process. */
async function connectPatiently(clock: Clock, path: string): Promise<Duplex> {
  const giveUpAtMs = clock.monotonicMs() + startTimeoutMs;
  for (;;) {
    try {
      return await connectUnixSocket(path);
    } catch (error) {
      if (!(error instanceof KeyframeError) || error.code !== "not-found") throw error;
      if (clock.monotonicMs() > giveUpAtMs) {
        throw new KeyframeError("timed-out", `QEMU did not open ${path} within ${startTimeoutMs} ms`, {
          cause: error,
        });
      }
    }
    await clock.sleep(retryMs);
  }
}

async function openMonitor(context: QemuContext, address: MachineAddress): Promise<QmpClient> {
  return openQmp(await connectUnixSocket(`${address.folder}/${machineFiles.control}`), context.clock);
}

async function loadDeviceState(folder: string, monitor: QmpClient, state: Uint8Array): Promise<void> {
  const path = `${folder}/${machineFiles.incoming}`;
  await monitor.execute("migrate-set-capabilities", {
    capabilities: [{ capability: "events", state: true }],
  });
  const loaded = monitor.waitFor(
    (event) => event.name === "MIGRATION" && ["completed", "failed"].includes(String(event.data["status"])),
    startTimeoutMs,
  );
  loaded.catch(() => undefined); // awaited below, after steps that may fail first
  await monitor.execute("migrate-incoming", { uri: `unix:${path}` });
  const connection = await connectUnixSocket(path);
  connection.on("error", () => undefined); // QEMU says why in the event
  connection.end(state);
  const event = await loaded;
  connection.destroy();
  if (event.data["status"] !== "completed") {
    throw new KeyframeError("hypervisor-failed", "QEMU could not load the saved device state", {
      hint: "a state can be loaded by the QEMU version and accelerator that saved it only",
    });
  }
}

function openMachine(context: QemuContext, address: MachineAddress, monitor: QmpClient): VirtualMachine {
  const topDiskLayer = async () => String(findDisk(await monitor.execute("query-block"))["node-name"]);
  let topNode: string | undefined;
  return {
    address,
    async version() {
      const answer = await monitor.execute("query-version");
      const version = isRecord(answer) && isRecord(answer["qemu"]) ? answer["qemu"] : {};
      return `qemu ${["major", "minor", "micro"].map((part) => String(version[part])).join(".")}`;
    },
    topDiskLayer,
    async isRunning() {
      const status = await monitor.execute("query-status");
      return isRecord(status) && status["running"] === true;
    },
    async pause() {
      await monitor.execute("stop");
    },
    async resume() {
      await monitor.execute("cont");
    },
    async prepareDiskLayer(layer) {
      topNode = await topDiskLayer();
      await monitor.execute("blockdev-add", {
        "node-name": diskNodeName(layer),
        ...planLayerFile(layer),
        backing: null,
        discard: "unmap",
      });
    },
    async switchDiskLayer(layer) {
      await monitor.execute("blockdev-snapshot", { node: topNode, overlay: diskNodeName(layer) });
    },
    async dropDiskLayer(layer) {
      await monitor.execute("blockdev-del", { "node-name": diskNodeName(layer) });
    },
    async saveDeviceState() {
      const folder = makeMemoryFolder("keyframe-state-");
      try {
        const path = `${folder}/state`;
        await monitor.execute("xen-save-devices-state", { filename: path, live: false });
        const deviceState = context.files.read(path);
        if (deviceState.length === 0 || deviceState.length > maxDeviceStateBytes) {
          throw new KeyframeError(
            "hypervisor-failed",
            `QEMU saved ${deviceState.length} bytes of device state`,
          );
        }
        return { deviceState };
      } finally {
        context.files.removeTree(folder);
      }
    },
    connectGuest: (port) =>
      connectPatiently(context.clock, `${address.folder}/${machineFiles.guestPort(port)}`),
    async kill() {
      monitor.close();
      if (!context.processTable.signal(address.process, "SIGKILL")) return;
      while (context.processTable.isRunning(address.process)) await context.clock.sleep(retryMs);
    },
    detach: () => monitor.close(),
  };
}

/** What is in the disk device now. QEMU names a device by its path in the device tree. */
function findDisk(devices: unknown): Record<string, unknown> {
  for (const device of Array.isArray(devices) ? devices : []) {
    if (!isRecord(device) || !String(device["qdev"]).includes(diskDevice)) continue;
    if (isRecord(device["inserted"])) return device["inserted"];
  }
  throw new KeyframeError("hypervisor-failed", "QEMU does not list the sandbox's disk");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** From /proc/cpuinfo; any plausible value will do where it is absent. */
function hostTscKhz(files: Files): number {
  const text = files.readIfExists("/proc/cpuinfo")?.toString("latin1") ?? "";
  const megahertz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(text)?.[1] ?? 2500);
  return Math.round(megahertz * 1000);
}
