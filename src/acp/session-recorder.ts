import type { AgentAdapter, AgentEvent } from "../agents/agent-event.ts";
import { completeEvent } from "../agents/hooks/complete-event.ts";
import { findAgentAdapter } from "../agents/hooks/registry.ts";
import { closeCalls } from "../authorship/record/close-calls.ts";
import { observe } from "../authorship/record/observe.ts";
import { errorText } from "../base/errors.ts";
import { readCaptureSettings } from "../checkpoints/capture/settings.ts";
import { advanceSession, isSessionEvent, type SessionEvent } from "../checkpoints/sessions/events.ts";
import { onTurnEvent } from "../checkpoints/turn/on-turn-event.ts";
import { openGit } from "../git/git.ts";
import { findRepository, type Repository } from "../git/repository.ts";
import { recordProblem } from "../state/problems.ts";
import type { Machine } from "../system/machine/machine.ts";
import { settleCommits } from "../workflows/settle-and-finish.ts";

export interface RecorderOptions {
  readonly machine: Machine;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  /** Whether what an agent does in a repository is to be recorded: its own hooks may tell of it already. */
  readonly mayRecord: (repository: Repository, tool: string) => boolean;
}

type FromAgent = Extract<AgentEvent, { readonly agent: unknown }>;

/**
 * Takes what passes through the proxy into the journal and the sessions, as hooks would. Looks at files are taken at once;
 * what takes longer (storing a turn) runs one after the other behind it. Nothing that fails here reaches the protocol.
 */
export class SessionRecorder {
  readonly #options: RecorderOptions;
  readonly #machine: Machine;
  #rest: Promise<void> = Promise.resolve();

  constructor(options: RecorderOptions) {
    this.#options = options;
    const { machine } = options;
    // the agent is started by this process: a commit of its own is known by that
    const self = { ...machine.processTable.self(), program: "keyframe" };
    this.#machine = { ...machine, processTable: { ...machine.processTable, ancestors: () => [self] } };
  }

  record(event: AgentEvent): void {
    if (!("agent" in event)) return;
    let repository: Repository | undefined;
    try {
      repository = findRepository(event.cwd, this.#machine);
      if (repository?.workTree === undefined) return;
      if (this.#options.mayRecord(repository, event.agent.tool)) this.#take(event, repository);
    } catch (error) {
      if (repository !== undefined) this.#leave(repository, event, error);
    }
  }

  /** Settles when everything that was begun is stored. */
  async done(): Promise<void> {
    await this.#rest;
  }

  #take(event: FromAgent, repository: Repository): void {
    const { env, home } = this.#options;
    const { files } = this.#machine;
    const adapter: AgentAdapter = findAgentAdapter(event.agent.tool) ?? unknownAgent(event.agent.tool);
    const whole = completeEvent(event, adapter, { files, env, home });
    closeCalls(whole, unknownAgent(adapter.name), this.#machine);
    const { wantsSettle } = observe(whole, this.#machine);
    if (wantsSettle)
      this.#later(repository, whole, () =>
        settleCommits(openGit(repository, this.#machine.processes, env), this.#machine),
      );
    if (isSessionEvent(whole)) this.#advance(whole, repository);
  }

  #advance(event: SessionEvent, repository: Repository): void {
    const { wants } = advanceSession(event, repository, this.#machine);
    if (wants === undefined) return;
    this.#later(repository, event, () => {
      const deps = { ...this.#machine, ...readCaptureSettings(repository, this.#machine) };
      const git = openGit(repository, this.#machine.processes, this.#options.env);
      return onTurnEvent(git, deps, { event, wants });
    });
  }

  #later(repository: Repository, event: AgentEvent, work: () => Promise<unknown>): void {
    this.#rest = this.#rest.then(async () => {
      try {
        await work();
      } catch (error) {
        this.#leave(repository, event, error);
      }
    });
  }

  #leave(repository: Repository, event: AgentEvent, error: unknown): void {
    const { clock, files } = this.#machine;
    recordProblem(repository, files, {
      at: clock.nowMs(),
      where: `acp ${event.kind}`,
      what: errorText(error),
    });
  }
}

/** The protocol tells of the end of every call, so nothing of an agent's hooks is waited for. */
function unknownAgent(name: string): AgentAdapter {
  return { name, parsePayload: () => ({ kind: "ignored", why: "it has no hooks" }) };
}
