import { basename } from "node:path";
import type { DiskLayerFile, DiskLayers, MachineRequest } from "../hypervisor.ts";
import { guestPortCount } from "../limits.ts";

/** Names of a machine's files inside its directory. */
export const machineFiles = {
  control: "control.sock",
  watchdog: "watchdog.sock",
  incoming: "incoming.sock",
  pid: "qemu.pid",
  log: "qemu.log",
  console: "console.log",
  sidecar: "sidecar.sock",
  sidecarLog: "sidecar.log",
  lastUse: "last-use",
  guestPort: (port: number) => `guest-${port}.sock`,
} as const;

/** The device whose top layer is switched in a branch. */
export const diskDevice = "disk0";

/**
 * The command line of QEMU. The order of devices is the guest's: it decides the slot of each, so it must be the same
 * in a guest and in what is restored from it. Paths may hold commas: QEMU reads a doubled one as one.
 */
export function planQemuArguments(request: MachineRequest, tscKhz: number): string[] {
  const { shape, folder } = request;
  const at = (name: string) => escapeCommas(`${folder}/${name}`);
  const top = request.disk[0];
  if (top === undefined) throw new RangeError("a disk has at least one layer");
  const restoring = request.start.kind === "restore";
  const args = [
    "-M",
    `${shape.machine},acpi=on,pit=off,pic=off,rtc=on,isa-serial=on,memory-backend=mem`,
    "-accel",
    shape.accelerator === "tcg" ? "tcg,tb-size=32" : shape.accelerator,
    "-cpu",
    shape.processor,
    "-m",
    `${shape.memoryMiB}M`,
    "-smp",
    String(shape.cpus),
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-pidfile",
    `${folder}/${machineFiles.pid}`,
    "-object",
    `memory-backend-file,id=mem,size=${shape.memoryMiB}M,share=off,mem-path=${escapeCommas(request.memoryPath)}`,
    "-chardev",
    `file,id=console,append=on,path=${at(machineFiles.console)}`,
    "-serial",
    "chardev:console",
    ...planDisk(request.disk).flatMap((node) => ["-blockdev", JSON.stringify(node)]),
    "-device",
    `virtio-blk-device,drive=${diskNodeName(top)},id=${diskDevice}`,
    "-device",
    `virtio-serial-device,id=serial0,max_ports=${guestPortCount + 1}`,
  ];
  for (let port = 0; port < guestPortCount; port += 1) {
    args.push(
      "-chardev",
      `socket,id=guest${port},server=on,wait=off,path=${at(machineFiles.guestPort(port))}`,
      "-device",
      `virtserialport,chardev=guest${port},name=keyframe.${port},id=port${port},nr=${port + 1}`,
    );
  }
  for (const name of [machineFiles.control, machineFiles.watchdog]) {
    args.push(
      "-chardev",
      `socket,id=${name},server=on,wait=off,path=${at(name)}`,
      "-mon",
      `chardev=${name},mode=control`,
    );
  }
  if (request.start.kind === "boot") {
    const { kernelPath, initrdPath } = request.start;
    args.push("-kernel", kernelPath, "-initrd", initrdPath, "-append", kernelCommandLine(tscKhz));
  }
  // A saved state always says "running": -S keeps it from running before it is looked at. The saved state has no
  // configuration section, because it was not made by a migration.
  if (restoring) args.push("-incoming", "defer", "-S", "-global", "migration.send-configuration=off");
  return args;
}

/** QEMU's name for a layer: its file's, which is its id. At most 31 characters. */
export function diskNodeName(layer: DiskLayerFile): string {
  return basename(layer.path, `.${layer.format}`);
}

/**
 * One node for each layer, each before the one that depends on it. Every layer is named here: nothing that a header
 * says about backing files is followed.
 */
function planDisk(layers: DiskLayers): object[] {
  const nodes = layers.map((layer, index) => {
    const below = layers[index + 1];
    return {
      "node-name": diskNodeName(layer),
      ...planLayerFile(layer),
      ...(layer.format === "raw" ? {} : { backing: below === undefined ? null : diskNodeName(below) }),
      ...(index === 0 ? { discard: "unmap" } : { "read-only": true }),
    };
  });
  return nodes.reverse();
}

/** `no-flush`: the guest's flushes end in the host's page cache. Durability is the snapshot's business, after the pause. */
export function planLayerFile(layer: DiskLayerFile): object {
  return {
    driver: layer.format,
    cache: { "no-flush": true },
    file:
      layer.socketPath === undefined
        ? { driver: "file", filename: layer.path, cache: { "no-flush": true } }
        : planServedFile(diskNodeName(layer), layer.socketPath),
  };
}

/** Requests wait for a block server that is started again. */
function planServedFile(name: string, socketPath: string): object {
  return {
    driver: "nbd",
    server: { type: "unix", path: socketPath },
    export: name,
    "reconnect-delay": serverRestartSeconds,
  };
}

const serverRestartSeconds = 60;

function escapeCommas(path: string): string {
  return path.replaceAll(",", ",,");
}

/**
 * `tsc_early_khz`: without it the kernel hangs at random while it calibrates its timer under emulation. The rest
 * saves seconds at boot: no hardware to look for, no attacker inside the guest's own kernel to defend against.
 */
function kernelCommandLine(tscKhz: number): string {
  return [
    "console=ttyS0 quiet panic=-1 reboot=t",
    `tsc_early_khz=${tscKhz} tsc=reliable no_timer_check`,
    "mitigations=off nokaslr init_on_alloc=0 rcupdate.rcu_expedited=1 cryptomgr.notests",
    `random.trust_cpu=on audit=0 apparmor=0 selinux=0 keyframe.ports=${guestPortCount}`,
  ].join(" ");
}
