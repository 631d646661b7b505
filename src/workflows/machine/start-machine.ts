import { emulationSettings, findModelEndpoint, type ModelEndpoint } from "../../agents/model-endpoints.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type MarkDeps, takeMark } from "../../checkpoints/capture/marks.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { readIndexTree } from "../../git/worktree/index-tree.ts";
import { withGuest } from "../../sandbox/guest/session.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { type CreateRequest, createSandboxes } from "../../sandbox/lifecycle/create-sandboxes.ts";
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
  /** Absent where no agent that asks a model works in it. */
  readonly proxy?: KeyProxy;
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
  const { tool, name, allow } = request;
  const mark = await takeMark(git, deps, `before run ${name}`);
  const directory = directoryIn(git);
  const model = await openModel(deps, { tool, directory });
  try {
    const { run, record } = await makeMachine(git, deps, {
      ...request,
      tools: [tool],
      network: networkOf([`127.0.0.1:${model.proxy.port}`, ...allow]),
      files: model.files,
      base: mark.base,
      ...(mark.branch === undefined ? {} : { branch: mark.branch }),
      tree: mark.tree,
      indexTree: await readIndexTree(git, deps.files),
    });
    return { run, record, env: environmentOf(record, tool, model.env), proxy: model.proxy };
  } catch (error) {
    await model.proxy.close();
    throw error;
  }
}

export interface NewMachine extends Omit<RunMachineRequest, "allow"> {
  /** The agents whose hooks are to record inside. */
  readonly tools: readonly string[];
  readonly network?: { readonly allow: string[] };
  /** Settings of agents, by path from the home. */
  readonly files: Readonly<Record<string, string>>;
  /** Where HEAD is to be: a commit, and the branch's full name. */
  readonly base: string;
  readonly branch?: string;
  /** The files, and the index, as they are to be. */
  readonly tree: Oid;
  readonly indexTree: Oid;
}

/** A machine with a working copy in it, and Keyframe. Its record says `ready: false` until all of it is there. */
export async function makeMachine(
  git: Git,
  deps: MachineDeps,
  request: NewMachine,
): Promise<{ readonly run: MachineRun; readonly record: SandboxRecord }> {
  const { sandboxContext, env } = deps;
  const { name, from, tool, tools, network, memoryMiB, cpus, tree, indexTree } = request;
  const directory = directoryIn(git);
  const record = await createOne(sandboxContext, {
    from,
    name: parseObjectName(name),
    ...(network === undefined ? {} : { network }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(cpus === undefined ? {} : { cpus }),
    accelerator: parseAccelerator(env["KEYFRAME_ACCELERATOR"]),
    progress: request.progress,
  });
  const run: MachineRun = {
    version: 1,
    name,
    sandbox: record.id,
    image: from,
    directory,
    branch: (request.branch ?? "refs/heads/work").slice("refs/heads/".length),
    base: request.base,
    tool,
    at: new Date(deps.clock.nowMs()).toISOString(),
    moments: [],
  };
  writeMachineRun(git.repository, deps.files, { ...run, ready: false });
  fault("machine:after-record");
  await ensureSidecar(sandboxContext, record);
  await withGuest(sandboxContext, record, async (guest) => {
    await sendWorkingCopy(git, { sandboxContext, guest, env, run, tree, indexTree });
    fault("machine:after-files");
    await putSettings(guest, request.files);
    const isEmulated = record.shape.accelerator === "tcg";
    await putKeyframe(sandboxContext, guest, { directory, tools, isEmulated });
  });
  writeMachineRun(git.repository, deps.files, run);
  return { run, record };
}

async function createOne(sandboxContext: SandboxContext, request: CreateRequest): Promise<SandboxRecord> {
  const [result] = await createSandboxes(sandboxContext, request);
  if (result?.ok !== true) throw result?.error;
  return result.sandbox.record;
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
  const made: StartedMachine[] = [];
  try {
    for (const name of names)
      made.push(await forkMachine(git, deps, { parent, snapshot, name, tool: parent.tool, allow: [] }));
  } catch (error) {
    for (const { proxy } of made) await proxy?.close();
    throw error;
  }
  return made;
}

export interface ForkedMachine extends Omit<ForkedMachines, "names"> {
  readonly name: string;
  /** The agent that works in it; undefined where none asks a model. */
  readonly tool: string | undefined;
  /** What the guest may reach beside the model. */
  readonly allow: readonly string[];
}

/** One of them. */
export async function forkMachine(
  git: Git,
  deps: MachineDeps,
  { parent, snapshot, name, tool, allow }: ForkedMachine,
): Promise<StartedMachine> {
  const model = tool === undefined ? undefined : await openModel(deps, { ...parent, tool });
  try {
    const rules = [...(model === undefined ? [] : [`127.0.0.1:${model.proxy.port}`]), ...allow];
    const record = await createOne(deps.sandboxContext, {
      from: snapshot,
      name: parseObjectName(name),
      ...(rules.length === 0 ? {} : { network: networkOf(rules) }),
      accelerator: undefined,
      progress: () => undefined,
    });
    const run: MachineRun = {
      ...parent,
      name,
      tool: tool ?? parent.tool,
      sandbox: record.id,
      image: snapshot,
      at: new Date(deps.clock.nowMs()).toISOString(),
      moments: [],
    };
    writeMachineRun(git.repository, deps.files, run);
    return model === undefined ? { run, record, env: {} } : await leadToModel(deps, { run, record, model });
  } catch (error) {
    await model?.proxy.close();
    throw error;
  }
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

/** Where an agent finds its model. @throws KeyframeError `refused` without a key */
export function mustHaveKey(env: NodeJS.ProcessEnv, tool: string): ModelEndpoint {
  const endpoint = findModelEndpoint(tool, env);
  if (endpoint !== undefined) return endpoint;
  throw new KeyframeError(
    "refused",
    `no key of ${tool} is in the environment: a machine reaches the model through it`,
    {
      hint: "set ANTHROPIC_API_KEY for claude, OPENAI_API_KEY for codex; it is not given to the machine",
    },
  );
}

/** Settings of an agent for a machine whose copies will be led to the model, by path from the home. */
export function settingsIn(git: Git, env: NodeJS.ProcessEnv, tool: string): Readonly<Record<string, string>> {
  const nowhere = { origin: "http://127.0.0.1:9", token: "none", directory: directoryIn(git) };
  return mustHaveKey(env, tool).settings(nowhere).files;
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
  const endpoint = mustHaveKey(env, tool);
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

/** Where a repository is in a machine. */
function directoryIn({ repository }: Git): string {
  const top = repository.workTree ?? repository.gitDir;
  const name = (top.split("/").at(-1) ?? "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "");
  return `${guestHome}/${name || "project"}`;
}
