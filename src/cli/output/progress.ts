import { formatBytes } from "../../base/bytes.ts";
import type { Clock } from "../../system/clock.ts";
import type { OutputStream } from "./terminal.ts";

export interface Progress {
  /** Work done so far; the total may become known later. */
  update(done: number, total?: number): void;
  /** Clears the line. Safe to call twice. */
  finish(): void;
}

export interface ProgressOptions {
  readonly label: string;
  readonly unit: "bytes" | "items";
  readonly total?: number;
  readonly stream: OutputStream;
  readonly clock: Clock;
}

const redrawIntervalMs = 100;
const barCells = 24;

/** A one-line bar with rate and time left on a terminal; silent elsewhere. */
export function startProgress(options: ProgressOptions): Progress {
  if (options.stream.isTTY !== true) return { update: () => undefined, finish: () => undefined };
  const startMs = options.clock.monotonicMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let total = options.total;
  let finished = false;
  return {
    update(done, newTotal) {
      total = newTotal ?? total;
      const nowMs = options.clock.monotonicMs();
      if (finished || nowMs - drawnMs < redrawIntervalMs) return;
      drawnMs = nowMs;
      options.stream.write(`\r\x1b[2K${progressLine(options, { done, total, elapsedMs: nowMs - startMs })}`);
    },
    finish() {
      if (!finished) options.stream.write("\r\x1b[2K");
      finished = true;
    },
  };
}

interface ProgressState {
  readonly done: number;
  readonly total: number | undefined;
  readonly elapsedMs: number;
}

function progressLine(options: Pick<ProgressOptions, "label" | "unit">, state: ProgressState): string {
  const amount = options.unit === "bytes" ? formatBytes : (count: number) => String(Math.round(count));
  const perSecond = state.elapsedMs > 0 ? (state.done * 1000) / state.elapsedMs : 0;
  const rate = `${amount(perSecond)}/s`;
  if (state.total === undefined || state.total === 0)
    return `${options.label}  ${amount(state.done)}  ${rate}`;
  const share = Math.min(1, state.done / state.total);
  const filled = Math.round(share * barCells);
  const left = perSecond > 0 ? formatDuration(((state.total - state.done) / perSecond) * 1000) : "?";
  const bar = "█".repeat(filled) + "░".repeat(barCells - filled);
  return `${options.label}  ${bar} ${Math.floor(share * 100)}%  ${amount(state.done)} of ${amount(state.total)}  ${rate}  ${left} left`;
}

/** 65000 -> "1 min 5 s". */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
