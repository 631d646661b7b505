import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { canAskAnything } from "../ask.ts";
import type { PaintedLine, PaintReply, PaintRequest } from "./painted-line.ts";

/** Above this a file is data; its lines stay without colours. */
const maxCharacters = 4_000_000;
/** No grammar takes this long for what is seen of a file; one that does is stopped for good. */
const patienceMs = 20_000;
/** Rows that only fly by are not painted. */
const restMs = 120;

export interface Paint {
  readonly lineAt: (index: number) => PaintedLine | undefined;
  /** Says which lines are in view, `until` not included. */
  readonly see: (from: number, until: number) => void;
}

/** Colours for the lines of a file that are seen, made by a worker; none until it has answered. */
export function usePaint(path: string, text: readonly string[]): Paint {
  const [painted, setPainted] = useState<ReadonlyMap<number, PaintedLine>>(new Map());
  const painter = useRef<Painter | undefined>(undefined);
  const seen = useRef<readonly [number, number]>([0, 0]);
  // an answer that says the same once more changes nothing
  const content = useMemo(() => text.join("\n"), [text]);
  useEffect(() => {
    setPainted(new Map());
    if (!canAskAnything || content.length > maxCharacters) return undefined;
    const current = new Painter(path, text, setPainted);
    painter.current = current;
    current.see(...seen.current);
    return () => {
      painter.current = undefined;
      current.close();
    };
  }, [path, content]);
  return {
    lineAt: (index) => painted.get(index),
    see(from, until) {
      seen.current = [from, until];
      painter.current?.see(from, until);
    },
  };
}

let files = 0;

/** One file and the worker that paints it. */
class Painter {
  readonly #worker: Worker;
  readonly #file: number;
  readonly #lines = new Map<number, PaintedLine>();
  #rest: ReturnType<typeof setTimeout> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    path: string,
    text: readonly string[],
    show: (lines: ReadonlyMap<number, PaintedLine>) => void,
  ) {
    files += 1;
    this.#file = files;
    const address = document.querySelector<HTMLLinkElement>("link[rel=worker]")?.href ?? "";
    this.#worker = new Worker(address, { type: "module" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<PaintReply>) => {
      if (data.file !== this.#file) return;
      clearTimeout(this.#patience);
      for (const [index, line] of data.lines.entries()) this.#lines.set(data.from + index, line);
      show(new Map(this.#lines));
    });
    this.#ask({ kind: "file", file: this.#file, path, text });
  }

  see(from: number, until: number): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      let [first, last] = [from, until];
      while (first < last && this.#lines.has(first)) first += 1;
      while (last > first && this.#lines.has(last - 1)) last -= 1;
      if (first === last) return;
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => this.close(), patienceMs);
      this.#ask({ kind: "lines", file: this.#file, from: first, until: last });
    }, restMs);
  }

  close(): void {
    clearTimeout(this.#rest);
    clearTimeout(this.#patience);
    this.#worker.terminate();
  }

  #ask(request: PaintRequest): void {
    this.#worker.postMessage(request);
  }
}
