import type { Duplex } from "node:stream";
import type { ProcessIdentity } from "../system/process/process-table.ts";

/** How the guest's instructions are run. `tcg` emulates them: everything works, slowly. */
export type Accelerator = "kvm" | "hvf" | "tcg";

/** What a machine is made of. Equal in a guest and in everything restored from it. */
export interface MachineShape {
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly diskBytes: number;
  readonly accelerator: Accelerator;
  /** Versioned machine type and processor model: device state fits no other. */
  readonly machine: string;
  readonly processor: string;
}

/** A disk, topmost layer first; the last one has no layer under it. */
export type DiskLayers = readonly DiskLayerFile[];

export interface DiskLayerFile {
  readonly path: string;
  readonly format: "qcow2" | "raw";
  /** There is no file: a block server shows it on this socket, as the export that is named as the file would be. */
  readonly socketPath?: string;
}

export type MachineStart =
  | { readonly kind: "boot"; readonly kernelPath: string; readonly initrdPath: string }
  | {
      readonly kind: "restore";
      readonly deviceState: Uint8Array;
      /** What saved the device state; another version is refused. */
      readonly hypervisor: string;
    };

export interface MachineRequest {
  readonly shape: MachineShape;
  /** Private to the machine: sockets and logs are put there. */
  readonly folder: string;
  /** Mapped copy-on-write: never changed by the machine. All zero for a boot. */
  readonly memoryPath: string;
  readonly disk: DiskLayers;
  readonly start: MachineStart;
  /** The process is killed after this, whoever else is alive. */
  readonly lifetimeMs?: number;
}

/** Where another process finds a machine. */
export interface MachineAddress {
  readonly folder: string;
  readonly memoryPath: string;
  readonly process: ProcessIdentity;
}

export interface MachineSnapshot {
  /** Registers and devices, without memory. */
  readonly deviceState: Buffer;
}

/**
 * The one door to a hypervisor. A machine outlives the process that started it, and any process of the same user
 * attaches to it. Calls on one machine are not made at the same time: the caller holds its lock.
 */
export interface Hypervisor {
  /** Starts a machine. One that was restored stands still until `resume`. On failure nothing is left running. */
  start(request: MachineRequest): Promise<VirtualMachine>;
  attach(address: MachineAddress): Promise<VirtualMachine>;
}

export interface VirtualMachine {
  readonly address: MachineAddress;
  /** Program and version, e.g. "qemu 7.2.22". */
  version(): Promise<string>;
  /** The name, without extension, of the file that the disk's topmost layer is: what the guest writes now. */
  topDiskLayer(): Promise<string>;
  isRunning(): Promise<boolean>;
  /** Stops the processors. Devices are at rest when it resolves. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Prepares `layer`, an empty overlay in the file system, to become the top of the disk. Before the pause. */
  prepareDiskLayer(layer: DiskLayerFile): Promise<void>;
  /** Puts the prepared layer on top: what was on top is never written again. In the pause. */
  switchDiskLayer(layer: DiskLayerFile): Promise<void>;
  /** Takes back a prepared layer that was not switched to. */
  dropDiskLayer(layer: DiskLayerFile): Promise<void>;
  /** In the pause. */
  saveDeviceState(): Promise<MachineSnapshot>;
  /** Connects to the guest program on one of its ports. */
  connectGuest(port: number): Promise<Duplex>;
  /** Ends the machine's process; what only it knew is gone. */
  kill(): Promise<void>;
  /** Lets go of the machine, which goes on. */
  detach(): void;
}
