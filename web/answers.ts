/** The shapes of what the server answers: src/server/page/answers.ts, written down once more because the page is a program of its own. */
export interface Session {
  readonly tool: string;
  readonly session: string;
  readonly turn?: number;
}

export interface Moment {
  readonly id: string;
  readonly kind: "turn" | "mark" | "commit";
  readonly at: string;
  readonly title: string;
  readonly commit: string;
  readonly base: string;
  readonly branch?: string;
  readonly worktree?: string;
  readonly sessions: readonly Session[];
  readonly checkpoints: readonly string[];
  readonly changedFiles: number | null;
}

export interface Owner {
  readonly kind: "agent" | "human";
  readonly name: string;
  readonly session?: string;
  readonly prompt?: string;
}

export interface MomentAnswer {
  readonly moment: Moment;
  readonly changes: readonly { readonly path: string; readonly status: string }[];
  readonly owners: readonly { readonly label: string; readonly lines: number; readonly files: number }[];
  readonly continueWith: readonly { readonly session: string; readonly command?: string }[];
}

export interface Entry {
  readonly index: number;
  readonly kind: "user" | "assistant" | "tool";
  readonly at?: string;
  readonly text: string;
  readonly tool?: {
    readonly name: string;
    readonly input: unknown;
    readonly output: string;
    readonly failed: boolean;
  };
}

export interface CheckpointAnswer {
  readonly checkpoint: {
    readonly id: string;
    readonly createdAt?: string;
    readonly author?: string;
    readonly branch?: string;
    readonly commits: readonly {
      readonly oid: string;
      readonly shortOid: string;
      readonly subject: string;
    }[];
    readonly filesTouched: readonly string[];
    readonly tokens: Readonly<Record<string, number>>;
    readonly sessions: readonly {
      readonly sessionId?: string;
      readonly agent?: string;
      readonly model?: string;
      readonly prompts: readonly string[];
    }[];
  };
  readonly session: number;
  readonly entries: readonly Entry[];
  readonly next?: number;
  readonly problem?: string;
}

export interface FileAnswer {
  readonly path: string;
  readonly text: readonly string[];
  readonly owners: readonly Owner[];
  readonly commits: readonly {
    readonly commit: string;
    readonly author: string;
    readonly time: number;
    readonly subject: string;
  }[];
  /** Lines in a row, place of the owner (-1: unknown), place of the commit (-1: not committed). */
  readonly runs: readonly (readonly [number, number, number])[];
}

export interface DiffAnswer {
  readonly commit: string;
  readonly subject: string;
  readonly author: string;
  readonly at: string;
  readonly owners: readonly Owner[];
  readonly isCut: boolean;
  readonly files: readonly {
    readonly path: string;
    readonly oldPath?: string;
    readonly isBinary: boolean;
    readonly hunks: readonly (readonly DiffRow[])[];
  }[];
}

export interface DiffRow {
  readonly old?: number;
  readonly next?: number;
  readonly text: string;
  readonly owner?: number;
}

export interface LineCounts {
  readonly added: number;
  readonly agents: number;
  readonly humans: number;
  readonly unknown: number;
  readonly accepted: number;
}

export interface PeopleAnswer {
  readonly range: string;
  readonly total: LineCounts;
  readonly agents: readonly {
    readonly tool: string;
    readonly model: string;
    readonly added: number;
    readonly accepted: number;
  }[];
  readonly humans: readonly { readonly identity: string; readonly lines: number }[];
  readonly sessions: readonly {
    readonly tool: string;
    readonly model: string;
    readonly conversation: string;
    readonly added: number;
    readonly accepted: number;
    readonly overridden: number;
  }[];
  readonly weeks: readonly (LineCounts & { readonly week: string; readonly commits: number })[];
  readonly directories: readonly { readonly path: string; readonly counts: LineCounts }[];
}

export interface Lane {
  readonly name: string;
  readonly state: string;
  readonly commit?: string;
  readonly durationMs?: number;
  readonly observedLines?: number;
  readonly unknownLines?: number;
  readonly diff?: { readonly files: readonly string[]; readonly added: number; readonly removed: number };
  readonly problem?: string;
}

export interface RacesAnswer {
  readonly races: readonly {
    readonly id: string;
    readonly at: string;
    readonly prompt: string;
    readonly lanes: readonly Lane[];
    readonly adopted: string | null;
  }[];
}

export interface RaceAnswer {
  readonly id: string;
  readonly at: string;
  readonly prompt: string;
  readonly adopted: string | null;
  readonly rows: readonly {
    readonly lane: Lane;
    readonly command: string;
    readonly passed: number;
    readonly checks: number;
    readonly tests: Readonly<
      Record<"fixed" | "broken" | "stillFailing" | "added" | "removed" | "flaky", readonly string[]>
    >;
    readonly tokens: number;
    readonly turns: number;
  }[];
}

export interface SearchAnswer {
  readonly total: number;
  readonly hits: readonly {
    readonly id: string;
    readonly createdAt?: string;
    readonly agent?: string;
    readonly kind: string;
    readonly text: string;
  }[];
  readonly code: readonly { readonly path: string; readonly line: number; readonly text: string }[];
}

export interface MachineRow {
  readonly kind: "snapshot" | "sandbox";
  readonly id: string;
  readonly name?: string;
  readonly depth: number;
  readonly state: string;
  readonly at: string;
  readonly image?: string;
  readonly storedBytes?: number;
  readonly missing?: string;
}

export interface MachinesAnswer {
  readonly rows: readonly MachineRow[];
}
