import { emulationSettings, findModelEndpoint } from "../../agents/model-endpoints.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type MarkDeps, takeMark } from "../../checkpoints/capture/marks.ts";
import type { Git } from "../../git/git.ts";
import { openGuestSession, withGuest } from "../../sandbox/guest/session.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { createSandboxes } from "../../sandbox/lifecycle/create-sandboxes.ts";
import { hostName } from "../../sandbox/network/relay.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import { ensureSidecar } from "../../sandbox/network/sidecar-client.ts";
import { parseAccelerator } from "../../sandbox/qemu/acceleration.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import { findSandbox, mustRun } from "../../sandbox/store/sandbox-store.ts";
import { fault } from "../../system/fault.ts";
import { type KeyProxy, startKeyProxy } from "../../system/net/key-proxy.ts";
import { randomHex } from "../../system/random.ts";
import { type MachineRun, writeMachineRun } from "../../timeline/machines/machine-run.ts";
import { putKeyframe, putSettings } from "./guest-keyframe.ts";
import { guestHome } from "./guest-shell.ts";
import { sendWorkingCopy } from "./send-in.ts";

export interface RunMachineRequest {
  readonly name: string;
  /** An image or a snapshot. */
  readonly from: string;
  readonly tool: string;
  /** What the guest may reach beside the model. */
  readonly allow: readonly string[];
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly progress: (text: string) => void;
}

export interface StartedMachine {
  readonly run: MachineRun;
  readonly record: SandboxRecord;
  /** For the agent's command. */
  readonly env: Readonly<Record<string, string>>;
  readonly proxy: KeyProxy;
}

export interface MachineDeps extends MarkDeps {
  readonly sandboxContext: SandboxContext;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Starts a machine with the present working copy in it, Keyframe, and an agent that reaches its model through this
 * process: the key stays here. @throws KeyframeError `refused` without a key
 */
export async function startMachine(
  git: Git,
  deps: MachineDeps,
  request: RunMachineRequest,
): Promise<StartedMachine> {
  const { sandboxContext, env } = deps;
  const { tool, name, from } = request;
  const mark = await takeMark(git, deps, `before run ${name}`);
  const directory = `${guestHome}/${directoryName(git)}`;
  const model = await openModel(deps, { tool, directory });
  try {
    const [result] = await createSandboxes(sandboxContext, {
      from,
      name: parseObjectName(name),
      network: networkOf([`127.0.0.1:${model.proxy.port}`, ...request.allow]),
      ...(request.memoryMiB === undefined ? {} : { memoryMiB: request.memoryMiB }),
      ...(request.cpus === undefined ? {} : { cpus: request.cpus }),
      accelerator: parseAccelerator(env["KEYFRAME_ACCELERATOR"]),
      progress: request.progress,
    });
    if (result?.ok !== true) throw result?.error;
    const { record } = result.sandbox;
    const run: MachineRun = {
      version: 1,
      name,
      sandbox: record.id,
      image: from,
      directory,
      branch: (mark.branch ?? "refs/heads/work").slice("refs/heads/".length),
      base: mark.base,
      tool,
      at: new Date(deps.clock.nowMs()).toISOString(),
      moments: [],
    };
    writeMachineRun(git.repository, deps.files, { ...run, ready: false });
    fault("machine:after-record");
    await ensureSidecar(sandboxContext, record);
    const session = await openGuestSession(sandboxContext, record);
    try {
      await sendWorkingCopy(git, { sandboxContext, guest: session.guest, env, run, mark });
      fault("machine:after-files");
      await putSettings(session.guest, model.files);
      await putKeyframe(sandboxContext, session.guest, {
        directory,
        tool,
        isEmulated: record.shape.accelerator === "tcg",
      });
    } finally {
      await session.close();
    }
    writeMachineRun(git.repository, deps.files, run);
    return { run, record, env: environmentOf(record, tool, model.env), proxy: model.proxy };
  } catch (error) {
    await model.proxy.close();
    throw error;
  }
}

export interface ForkedMachines {
  /** The run that the moment is of. */
  readonly parent: MachineRun;
  readonly snapshot: string;
  readonly names: readonly string[];
}

/**
 * Machines in the very state that a moment's had, each a run of its own with a way of its own to the model. One that
 * cannot be started stops the rest.
 */
export async function forkMachines(
  git: Git,
  deps: MachineDeps,
  { parent, snapshot, names }: ForkedMachines,
): Promise<StartedMachine[]> {
  const { sandboxContext } = deps;
  const made: StartedMachine[] = [];
  for (const name of names) {
    const model = await openModel(deps, parent);
    try {
      const [result] = await createSandboxes(sandboxContext, {
        from: snapshot,
        name: parseObjectName(name),
        network: networkOf([`127.0.0.1:${model.proxy.port}`]),
        accelerator: undefined,
        progress: () => undefined,
      });
      if (result?.ok !== true) throw result?.error;
      const { record } = result.sandbox;
      const at = new Date(deps.clock.nowMs()).toISOString();
      const run: MachineRun = { ...parent, name, sandbox: record.id, image: snapshot, at, moments: [] };
      writeMachineRun(git.repository, deps.files, run);
      made.push(await leadToModel(deps, { run, record, model }));
    } catch (error) {
      await model.proxy.close();
      for (const { proxy } of made) await proxy.close();
      throw error;
    }
  }
  return made;
}

/** A machine of an earlier command, with a way to the model again. @throws KeyframeError `not-running`, `refused` */
export async function attachMachineRun(deps: MachineDeps, run: MachineRun): Promise<StartedMachine> {
  const { sandboxContext } = deps;
  const record = findSandbox(sandboxContext, run.sandbox);
  mustRun(sandboxContext, record);
  // the machine may connect to the port that it was started with, and to no other
  const port = record.network?.allow.flatMap((rule) => /^127\.0\.0\.1:(\d+)$/.exec(rule)?.[1] ?? [])[0];
  const model = await openModel(deps, { ...run, ...(port === undefined ? {} : { port: Number(port) }) });
  try {
    return await leadToModel(deps, { run, record, model });
  } catch (error) {
    await model.proxy.close();
    throw error;
  }
}

async function leadToModel(
  { sandboxContext }: MachineDeps,
  {
    run,
    record,
    model,
  }: {
    readonly run: MachineRun;
    readonly record: SandboxRecord;
    readonly model: Awaited<ReturnType<typeof openModel>>;
  },
): Promise<StartedMachine> {
  await ensureSidecar(sandboxContext, record);
  const origin = `:${model.proxy.port}`;
  // what names the address is renewed; the rest is the agent's own by now
  const files = Object.entries(model.files).filter(([, text]) => text.includes(origin));
  await withGuest(sandboxContext, record, (guest) => putSettings(guest, Object.fromEntries(files)));
  return { run, record, env: environmentOf(record, run.tool, model.env), proxy: model.proxy };
}

function environmentOf(
  { shape }: SandboxRecord,
  tool: string,
  env: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return shape.accelerator === "tcg" ? { ...env, ...emulationSettings(tool) } : env;
}

/** The way to the model for one machine: a token of its own, which means nothing elsewhere. */
export async function openModel(
  {
    sandboxContext,
    env,
    random,
  }: Pick<MachineDeps, "sandboxContext" | "env"> & { readonly random?: SandboxContext["random"] },
  { tool, directory, port }: { readonly tool: string; readonly directory: string; readonly port?: number },
) {
  const endpoint = findModelEndpoint(tool, env);
  if (endpoint === undefined) {
    throw new KeyframeError(
      "refused",
      `no key of ${tool} is in the environment: a machine reaches the model through it`,
      {
        hint: "set ANTHROPIC_API_KEY for claude, OPENAI_API_KEY for codex; it is not given to the machine",
      },
    );
  }
  const token = `keyframe-${randomHex(random ?? sandboxContext.random, 32)}`;
  const proxy = await startKeyProxy({
    ...endpoint,
    token,
    say: sandboxContext.warn,
    ...(port === undefined ? {} : { port }),
  });
  const settings = endpoint.settings({ origin: `http://${hostName}:${proxy.port}`, token, directory });
  return { proxy, ...settings };
}

function directoryName({ repository }: Git): string {
  const top = repository.workTree ?? repository.gitDir;
  return (top.split("/").at(-1) ?? "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "") || "project";
}
