/** Whether an agent is at work in a session, waits for its user, or has gone. */
export type SessionPhase = "active" | "idle" | "ended";

export type SessionSignal =
  | "turn-start"
  | "turn-end"
  | "git-commit"
  /** A commit made by a rebase, cherry-pick or revert: it only repeats work. */
  | "git-commit-in-sequence"
  | "session-start"
  | "session-stop";

export type SessionAction =
  /** Set the time of the last interaction. */
  | "touch"
  | "clear-ended-at"
  | "set-ended-at"
  /** Store the session with the commit, if its work is in it. */
  | "build-checkpoint"
  /** The same for a session that has ended: only what it left uncommitted can still be in a commit. */
  | "build-checkpoint-if-files-touched"
  /** An ended session that left nothing: there is nothing to store. */
  | "discard-if-no-files"
  /** Say that another agent may be at work in the same session. */
  | "warn-stale";

export interface PhaseChange {
  readonly phase: SessionPhase;
  readonly actions: readonly SessionAction[];
}

/** What a signal makes of a session. Pure and total; the table of docs/sessions.md. */
export function nextPhase(
  phase: SessionPhase,
  signal: SessionSignal,
  { hasFiles = false }: { readonly hasFiles?: boolean } = {},
): PhaseChange {
  if (phase === "ended" && signal === "git-commit") {
    const action = hasFiles ? "build-checkpoint-if-files-touched" : "discard-if-no-files";
    return { phase, actions: [action, "touch"] };
  }
  return table[phase][signal];
}

/** A phase as any version of the format wrote it; what is empty or unknown counts as idle. */
export function parsePhase(text: unknown): SessionPhase {
  if (text === "active" || text === "active_committed") return "active";
  return text === "ended" ? "ended" : "idle";
}

const stay = (phase: SessionPhase): PhaseChange => ({ phase, actions: [] });

const table: Readonly<Record<SessionPhase, Readonly<Record<SessionSignal, PhaseChange>>>> = {
  idle: {
    "turn-start": { phase: "active", actions: ["touch"] },
    "turn-end": stay("idle"),
    "git-commit": { phase: "idle", actions: ["build-checkpoint", "touch"] },
    "git-commit-in-sequence": stay("idle"),
    "session-start": stay("idle"),
    "session-stop": { phase: "ended", actions: ["set-ended-at", "touch"] },
  },
  active: {
    // an agent that was interrupted never said that its turn ended
    "turn-start": { phase: "active", actions: ["touch"] },
    "turn-end": { phase: "idle", actions: ["touch"] },
    "git-commit": { phase: "active", actions: ["build-checkpoint", "touch"] },
    "git-commit-in-sequence": stay("active"),
    "session-start": { phase: "active", actions: ["warn-stale"] },
    "session-stop": { phase: "ended", actions: ["set-ended-at", "touch"] },
  },
  ended: {
    "turn-start": { phase: "active", actions: ["clear-ended-at", "touch"] },
    "turn-end": stay("ended"),
    "git-commit": { phase: "ended", actions: ["discard-if-no-files", "touch"] },
    "git-commit-in-sequence": stay("ended"),
    "session-start": { phase: "idle", actions: ["clear-ended-at"] },
    "session-stop": stay("ended"),
  },
};
