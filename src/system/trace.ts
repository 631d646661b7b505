import type { Clock } from "./clock.ts";

/**
 * Where the time of one run of the program goes. Names are fixed words of ours, never what a user typed or a file
 * holds: traces are kept, and shown to others.
 */
export interface Trace {
  /**
   * Runs `work` as a phase inside the one that is under way. Phases of one trace follow each other or nest; work that
   * overlaps with other work is a step.
   */
  span<T>(name: string, work: () => T): T;
  /**
   * Begins a step of the phase that is under way; steps may overlap. Call the answer where it ends. `alongside`: a
   * helper that lives beside the phase, whose time is not taken from it.
   */
  step(name: string, options?: { readonly alongside?: boolean }): (outcome?: "failed") => void;
}

/** Everything of one name inside one phase, summed up: a thousand repetitions are one row. */
export interface TraceRow {
  readonly name: string;
  readonly count: number;
  readonly failed: number;
  readonly totalMs: number;
  readonly maxMs: number;
  /** What no row inside accounts for, overlapping ones counted once. */
  readonly selfMs: number;
  readonly alongside: boolean;
  /** In order of first appearance. */
  readonly rows: readonly TraceRow[];
}

/** A trace that can be looked at, before or after its end. */
export interface RecordedTrace extends Trace {
  /** The run as a whole up to now, with what it is made of. What has not ended counts up to now. */
  read(name: string): TraceRow;
}

/** Names beyond this many are not kept apart: their time stays with the phase that they are in. */
export const maxTraceRows = 120;

export const noTrace: Trace = { span: (_name, work) => work(), step: () => () => undefined };

/** `startedMs`: how long the program ran before the trace was made; that is a row `start`. */
export function createTrace(clock: Pick<Clock, "monotonicMs">, startedMs = 0): RecordedTrace {
  const now = () => clock.monotonicMs();
  const root = newNode("", undefined);
  root.openCount = 1;
  root.count = 1;
  root.openSinceMs = now() - startedMs;
  let current = root;
  let rows = 0;
  if (startedMs > 0) {
    const start = newNode("start", root);
    root.children.set(start.name, Object.assign(start, { count: 1, totalMs: startedMs, maxMs: startedMs }));
    root.coveredMs = startedMs;
  }

  function begin(name: string, alongside: boolean): Begun | undefined {
    const parent = current;
    let node = parent.children.get(name);
    if (node === undefined) {
      if (rows >= maxTraceRows) return undefined;
      rows += 1;
      node = newNode(name, parent);
      node.alongside = alongside;
      parent.children.set(name, node);
    }
    const opened = node;
    const startMs = now();
    opened.count += 1;
    opened.openCount += 1;
    opened.openSumMs += startMs;
    if (!alongside) cover(parent, startMs);
    let isOpen = true;
    return {
      node: opened,
      end: (outcome) => {
        if (!isOpen) return;
        isOpen = false;
        const endMs = now();
        opened.openCount -= 1;
        opened.openSumMs -= startMs;
        opened.totalMs += endMs - startMs;
        opened.maxMs = Math.max(opened.maxMs, endMs - startMs);
        if (outcome === "failed") opened.failed += 1;
        if (!alongside) uncover(parent, endMs);
      },
    };
  }

  return {
    span(name, work) {
      const begun = begin(name, false);
      if (begun === undefined) return work();
      current = begun.node;
      const end = (outcome?: "failed") => {
        begun.end(outcome);
        // phases that overlap against the rule end in any order: the innermost that is still under way goes on
        while (current !== root && current.openCount === 0) current = current.parent ?? root;
      };
      try {
        const result = work();
        if (!(result instanceof Promise)) {
          end();
          return result;
        }
        return result.then(
          (value: unknown) => {
            end();
            return value;
          },
          (error: unknown) => {
            end("failed");
            throw error;
          },
        ) as typeof result;
      } catch (error) {
        end("failed");
        throw error;
      }
    },
    step: (name, { alongside = false } = {}) => begin(name, alongside)?.end ?? (() => undefined),
    read: (name) => toRow({ ...root, name }, now()),
  };
}

interface Begun {
  readonly node: Node;
  readonly end: (outcome?: "failed") => void;
}

interface Node {
  readonly name: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  count: number;
  failed: number;
  totalMs: number;
  maxMs: number;
  alongside: boolean;
  /** How many of it are under way, and the sum of the times at which they began. */
  openCount: number;
  openSumMs: number;
  /** Of the root alone. */
  openSinceMs: number;
  /** Time during which something inside was under way. */
  coveredMs: number;
  coveringCount: number;
  coveredSinceMs: number;
}

function newNode(name: string, parent: Node | undefined): Node {
  return {
    name,
    parent,
    children: new Map(),
    count: 0,
    failed: 0,
    totalMs: 0,
    maxMs: 0,
    alongside: false,
    openCount: 0,
    openSumMs: 0,
    openSinceMs: 0,
    coveredMs: 0,
    coveringCount: 0,
    coveredSinceMs: 0,
  };
}

function cover(node: Node, atMs: number): void {
  if (node.coveringCount === 0) node.coveredSinceMs = atMs;
  node.coveringCount += 1;
}

function uncover(node: Node, atMs: number): void {
  node.coveringCount -= 1;
  if (node.coveringCount === 0) node.coveredMs += atMs - node.coveredSinceMs;
}

function toRow(node: Node, nowMs: number): TraceRow {
  const openMs =
    node.parent === undefined ? nowMs - node.openSinceMs : node.openCount * nowMs - node.openSumMs;
  const totalMs = node.totalMs + openMs;
  const coveredMs = node.coveredMs + (node.coveringCount > 0 ? nowMs - node.coveredSinceMs : 0);
  return {
    name: node.name,
    count: node.count,
    failed: node.failed,
    totalMs,
    maxMs: node.openCount > 0 ? Math.max(node.maxMs, openMs / node.openCount) : node.maxMs,
    selfMs: Math.max(0, totalMs - coveredMs),
    alongside: node.alongside,
    rows: [...node.children.values()].map((child) => toRow(child, nowMs)),
  };
}
