import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import {
  asPort,
  countFlag,
  jsonFlag,
  portFlag,
  switchFlag,
  textArgument,
  textFlag,
  textsFlag,
} from "../command/flags.ts";
import type { BranchFlags } from "./run-branch.ts";
import type { ExecFlags } from "./run-exec.ts";
import type { PoolFlags } from "./run-pool.ts";
import type { PortFlags } from "./run-port.ts";
import type { SandboxRunFlags } from "./run-start.ts";

interface JsonFlags {
  readonly json?: boolean;
}

const sandboxArgument = textArgument("A sandbox: its id or name", "sandbox");

const run = buildCommand<SandboxRunFlags, [string], CliContext>({
  loader: async () => (await import("./run-start.ts")).runSandbox,
  parameters: {
    flags: {
      memory: textFlag("Guest memory, from an image (default: 512M)", "size"),
      cpus: countFlag("Processors, from an image (default: 1)"),
      disk: textFlag("Size of the disk, from an image (default: 4G)", "size"),
      env: textsFlag("Environment of every command", "NAME=value"),
      copy: textsFlag("Copy a file or directory in before anything runs", "here:guest"),
      net: textFlag("Network of the guest: none (default) or user", "none|user"),
      allow: textsFlag("What the guest may reach, with --net user (default: public)", "host|range[:port]"),
      ttl: textFlag("End the machine after this long", "duration"),
      idle: textFlag("Stop the sandbox when nobody has used it for this long", "duration"),
      name: textFlag("Name of the sandbox; children of one call get -1, -2, ...", "name"),
      count: countFlag("How many, from a snapshot (default: 1)"),
      pool: countFlag(
        "Keep this many machines ready for the snapshot, in the background; see `sandbox pool`",
      ),
      cold: switchFlag("Boot from the image, instead of starting where an earlier machine had booted"),
      fresh: switchFlag("Start machines exactly where the snapshot was taken, not ones that were kept ready"),
      json: jsonFlag,
    },
    positional: { kind: "tuple", parameters: [textArgument("An image or a snapshot", "image|snapshot")] },
  },
  docs: {
    brief: "Start a sandbox from an image, or some from a snapshot",
    fullDescription:
      "Starts a micro-VM and waits until its guest answers. It runs until `sandbox stop` or `sandbox rm`.\n\n" +
      "--net user lets the guest make TCP connections, and with --allow only to what is named: a host name, *.name,\n" +
      "an address or a range, each with :port or not. Without --allow it reaches public addresses. A guest never\n" +
      "reaches this machine or its network unless --allow names their address: 127.0.0.1:8080 is then\n" +
      "host.keyframe.internal:8080 in the guest.\n\n" +
      "Example:\n  keyframe sandbox run dev --memory 1G --name work --net user --allow '*.debian.org:80'",
  },
});

const list = buildCommand<JsonFlags, [], CliContext>({
  loader: async () => (await import("./run-list.ts")).listSandboxesCommand,
  parameters: { flags: { json: jsonFlag } },
  docs: {
    brief: "List the sandboxes",
    fullDescription: "Lists all sandboxes of this user.\n\nExample:\n  keyframe sandbox list",
  },
});

const show = buildCommand<JsonFlags, [string], CliContext>({
  loader: async () => (await import("./run-list.ts")).showSandbox,
  parameters: { flags: { json: jsonFlag }, positional: { kind: "tuple", parameters: [sandboxArgument] } },
  docs: {
    brief: "Show one sandbox",
    fullDescription: "Shows one sandbox.\n\nExample:\n  keyframe sandbox show work --json",
  },
});

const logs = buildCommand<JsonFlags, [string], CliContext>({
  loader: async () => (await import("./run-list.ts")).showLogs,
  parameters: { flags: { json: jsonFlag }, positional: { kind: "tuple", parameters: [sandboxArgument] } },
  docs: {
    brief: "Show a sandbox's console and hypervisor log",
    fullDescription:
      "Shows what the guest's kernel and QEMU have printed.\n\nExample:\n  keyframe sandbox logs work",
  },
});

const rm = buildCommand<JsonFlags, string[], CliContext>({
  loader: async () => (await import("./run-list.ts")).removeSandboxes,
  parameters: { flags: { json: jsonFlag }, positional: { kind: "array", parameter: sandboxArgument } },
  docs: {
    brief: "End sandboxes and remove them",
    fullDescription:
      "Ends the machines and removes what only they have. Snapshots stay.\n\nExample:\n  keyframe sandbox rm work",
  },
});

const exec = buildCommand<ExecFlags, string[], CliContext>({
  loader: async () => (await import("./run-exec.ts")).execInSandbox,
  parameters: {
    flags: {
      interactive: switchFlag("Pass standard input on"),
      tty: switchFlag("Give the command a terminal"),
      env: textsFlag("Environment of the command", "NAME=value"),
      cwd: textFlag("Working directory in the guest", "path"),
      user: textFlag("User in the guest (default: root)", "user"),
      timeout: textFlag("Kill the command and its descendants after this long", "duration"),
      processes: countFlag("Most processes the command may have at once (default: 4096)"),
      keep: switchFlag("Keep the command running when this program ends"),
      json: jsonFlag,
    },
    aliases: { i: "interactive", t: "tty", e: "env" },
    positional: {
      kind: "array",
      parameter: textArgument("The sandbox, then the command", "sandbox -- command"),
    },
  },
  docs: {
    brief: "Run a command in a sandbox",
    fullDescription:
      "Runs a command in the guest. Its exit code becomes this program's: 128 and the number for a signal, 124 for a timeout.\n\nExample:\n  keyframe sandbox exec work -it -- bash",
  },
});

const cp = buildCommand<JsonFlags, [string, string], CliContext>({
  loader: async () => (await import("./run-copy.ts")).copyFiles,
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [textArgument("What to copy", "from"), textArgument("Where to", "to")],
    },
  },
  docs: {
    brief: "Copy files between here and a sandbox",
    fullDescription:
      "Copies a file or a directory; one side is <sandbox>:<absolute path>.\n\nExample:\n  keyframe sandbox cp ./src work:/root/src",
  },
});

const stop = buildCommand<JsonFlags, [string], CliContext>({
  loader: async () => (await import("./run-list.ts")).stopSandbox,
  parameters: { flags: { json: jsonFlag }, positional: { kind: "tuple", parameters: [sandboxArgument] } },
  docs: {
    brief: "Save a sandbox and end its machine",
    fullDescription:
      "Saves memory and disk and ends the machine; `sandbox resume` continues it.\n\nExample:\n  keyframe sandbox stop work",
  },
});

const resume = buildCommand<JsonFlags & { readonly ttl?: string }, [string], CliContext>({
  loader: async () => (await import("./run-list.ts")).resumeStopped,
  parameters: {
    flags: { ttl: textFlag("End the machine after this long", "duration"), json: jsonFlag },
    positional: { kind: "tuple", parameters: [sandboxArgument] },
  },
  docs: {
    brief: "Continue a stopped sandbox",
    fullDescription:
      "Continues a stopped sandbox where it was, and one whose machine has died from its disk.\n\nExample:\n  keyframe sandbox resume work",
  },
});

const pool = buildCommand<PoolFlags, [string], CliContext>({
  loader: async () => (await import("./run-pool.ts")).fillPoolCommand,
  parameters: {
    flags: {
      size: countFlag("How many to keep ready; 0 ends them (default: 2)"),
      idle: textFlag("End a machine that nobody has taken after this long (default: 30m)", "duration"),
      json: jsonFlag,
    },
    positional: { kind: "tuple", parameters: [textArgument("A snapshot: its id or name", "snapshot")] },
  },
  docs: {
    brief: "Keep machines ready for a snapshot",
    fullDescription:
      "Starts machines from a snapshot, lets them answer, and stops them. `sandbox run` with that snapshot then takes one in milliseconds. Each holds about 35 MiB of memory.\n\nExample:\n  keyframe sandbox pool before --size 5 --idle 1h",
  },
});

const port = buildCommand<PortFlags, [string, number?], CliContext>({
  loader: async () => (await import("./run-port.ts")).forwardPort,
  parameters: {
    flags: {
      hostPort: portFlag("Port of this machine (default: a free one)"),
      close: switchFlag("End the forwarding instead"),
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        sandboxArgument,
        { brief: "Port of a server in the guest", parse: asPort, placeholder: "port", optional: true },
      ],
    },
  },
  docs: {
    brief: "Forward a port of this machine to a sandbox",
    fullDescription:
      "Connections to a port of this machine's 127.0.0.1 go to a port of the guest's; needs no network in the guest.\nWithout a port, lists what is forwarded.\n\nExample:\n  keyframe sandbox port work 3000 --host-port 8080",
  },
});

const keep = buildCommand<object, [string], CliContext>({
  loader: async () => (await import("./run-port.ts")).keepInBackground,
  parameters: { flags: {}, positional: { kind: "tuple", parameters: [sandboxArgument] } },
  docs: {
    brief: "The process beside a machine: network, ports, idle limit",
    fullDescription: "Started by other commands, not by people.\n\nExample:\n  keyframe sandbox keep work",
  },
});

const branchFlags = {
  name: textFlag("Name of the snapshot", "name"),
  noWait: switchFlag("Return as soon as the sandbox runs again; the rest is done in the background"),
  announce: { ...textFlag("Socket of the caller that does not wait", "path"), hidden: true },
  json: jsonFlag,
} as const;

const snapshot = buildCommand<Omit<BranchFlags, "count">, [string], CliContext>({
  loader: async () => (await import("./run-branch.ts")).snapshotSandbox,
  parameters: { flags: branchFlags, positional: { kind: "tuple", parameters: [sandboxArgument] } },
  docs: {
    brief: "Snapshot a running sandbox without stopping it",
    fullDescription:
      "Saves memory, devices and disk of one instant. The guest stops for milliseconds.\n\nExample:\n  keyframe sandbox snapshot work --name before-upgrade",
  },
});

const branch = buildCommand<BranchFlags, [string], CliContext>({
  loader: async () => (await import("./run-branch.ts")).branch,
  parameters: {
    flags: { ...branchFlags, count: countFlag("How many children (default: 1)") },
    aliases: { n: "count" },
    positional: { kind: "tuple", parameters: [sandboxArgument] },
  },
  docs: {
    brief: "Save a running sandbox and start children of it",
    fullDescription:
      "Takes a snapshot and forks it: the original keeps running, the children start where it was.\n\nExample:\n  keyframe sandbox branch work -n 5",
  },
});

export const sandboxRoutes = buildRouteMap<string, CliContext>({
  routes: { run, pool, list, show, logs, exec, cp, port, snapshot, branch, stop, resume, rm, keep },
  aliases: { ls: "list", info: "show" },
  docs: {
    hideRoute: { keep: true },
    brief: "Machines that agents work in: start, use, branch",
    fullDescription:
      "Each sandbox is a QEMU machine of its own that can be branched while it runs.\n\n" +
      "Examples:\n  keyframe image build debian --from debian:bookworm\n" +
      "  keyframe sandbox run debian --name try\n  keyframe sandbox exec try -- uname -a\n" +
      "  keyframe sandbox branch try -n 3",
  },
});
