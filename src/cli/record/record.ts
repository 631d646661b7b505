import { join } from "node:path";
import { addModel } from "../../agents/add-model.ts";
import type { AgentEvent } from "../../agents/agent-event.ts";
import { findAgentAdapter } from "../../agents/hooks/registry.ts";
import { observe } from "../../authorship/record/observe.ts";
import { KeyframeError } from "../../base/errors.ts";
import { maxHookPayloadBytes } from "../../base/limits.ts";
import { listDirtyPaths } from "../../git/remote/sync.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import { resetJournal } from "../../journal/upkeep/reset.ts";
import { recordProblem } from "../../state/problems.ts";
import { readStandardInput } from "../../system/machine/standard-input.ts";
import { randomHex } from "../../system/random.ts";
import type { CliContext } from "../command/context.ts";
import { exitCodes } from "../command/exit-codes.ts";
import { type CheckpointInput, checkpointEvent, readsPayload } from "./event.ts";
import { type CheckpointPreset, recordPresets } from "./presets.ts";
import type { RecordFlags } from "./record-command.ts";
import { type RejectedPath, vetPaths } from "./vet-paths.ts";

/** A payload by hand may be typed slowly. */
const inputTimeoutMs = 60_000;

interface Summary {
  readonly recorded: boolean;
  readonly credited: number;
  readonly seen: number;
  readonly problems: readonly string[];
}

const nothingRecorded: Summary = { recorded: false, credited: 0, seen: 0, problems: [] };

/** `keyframe record` */
export async function record(this: CliContext, flags: RecordFlags, ...args: string[]): Promise<void> {
  const [preset, ...files] = args;
  const repository = mustFindRepository(this.cwd, this);
  if (flags.reset) resetJournal(this, repository);
  if (preset === undefined) {
    if (!flags.reset) throw usage("expected a preset");
    if (flags.json) this.terminal.json({ reset: true });
    else this.terminal.out("Forgot all that was pending.");
    return;
  }
  if (!isPreset(preset)) throw usage(`${JSON.stringify(preset)} is not a preset`);
  const { summary, rejected } = recordChange(this, repository, {
    preset,
    files,
    flags,
    cwd: this.cwd,
    ...readPayload(preset, flags),
    changedPaths: () => changedPaths(this, repository),
    callId: randomHex(this.random, 16),
  });
  if (flags.json) this.terminal.json(summary);
  else printSummary(this, preset, summary);
  if (rejected !== undefined) this.process.exitCode = exitCodes[rejected.code];
}

interface Recorded {
  readonly summary: Summary;
  /** The first path that could not be recorded, where someone named it who can mend it. */
  readonly rejected?: RejectedPath;
}

function recordChange(context: CliContext, repository: Repository, input: CheckpointInput): Recorded {
  const event = checkpointEvent(input);
  if (event.kind === "ignored") return { summary: nothingRecorded };
  if (event.kind === "refused") {
    const what = `refused: ${event.why}`;
    recordProblem(repository, context.files, {
      at: context.clock.nowMs(),
      where: `checkpoint ${input.preset}`,
      what,
    });
    return { summary: { ...nothingRecorded, problems: [what] } };
  }
  const isAgent = input.preset === "claude" || input.preset === "agent-v1";
  if (isAgent || !("paths" in event)) return { summary: observed(context, input, event) };
  const { usable, rejected } = vetPaths(event.paths, event.cwd, context);
  const summary =
    usable.length === 0 && rejected.length > 0
      ? nothingRecorded
      : observed(context, input, { ...event, paths: usable });
  const problems = [...rejected.map(({ why }) => why), ...summary.problems];
  const [first] = rejected;
  return { summary: { ...summary, problems }, ...(first === undefined ? {} : { rejected: first }) };
}

function observed(context: CliContext, { preset }: CheckpointInput, event: AgentEvent): Summary {
  const { credited, seen, problems } = observe(withModel(event, preset, context), context);
  return { recorded: true, credited, seen, problems };
}

function withModel(event: AgentEvent, preset: string, context: CliContext): AgentEvent {
  const adapter = findAgentAdapter(preset);
  return adapter === undefined ? event : addModel(event, adapter, context.files);
}

function readPayload(preset: CheckpointPreset, flags: RecordFlags): { readonly payload?: Buffer } {
  if (!readsPayload(preset, flags)) {
    if (flags.hookInput !== undefined) throw usage(`${preset} takes no --hook-input`);
    return {};
  }
  if (flags.hookInput !== undefined && flags.hookInput !== "stdin")
    return { payload: Buffer.from(flags.hookInput) };
  return { payload: readStandardInput({ maxBytes: maxHookPayloadBytes, timeoutMs: inputTimeoutMs }) };
}

function changedPaths(context: CliContext, repository: Repository): string[] {
  return listDirtyPaths(repository, context).map((path) => join(repository.workTree ?? "", path));
}

function printSummary({ terminal }: CliContext, preset: string, summary: Summary): void {
  for (const problem of summary.problems) terminal.note(`keyframe: ${problem}`);
  if (!summary.recorded) {
    terminal.out(`${preset}: nothing to record`);
    return;
  }
  const files = (count: number) => `${count} ${count === 1 ? "file" : "files"}`;
  terminal.out(`${preset}: looked at ${files(summary.seen)}, credited changes in ${files(summary.credited)}`);
}

function isPreset(name: string): name is CheckpointPreset {
  return (recordPresets as readonly string[]).includes(name);
}

function usage(what: string): KeyframeError {
  return new KeyframeError("usage", what, { hint: `presets: ${recordPresets.join(", ")}` });
}
