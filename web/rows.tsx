import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface RowsProps {
  readonly count: number;
  readonly height: number;
  readonly row: (index: number) => JSX.Element;
  /** 0-based row to bring into view. */
  readonly show?: number;
  readonly label: string;
  /** Told which rows are in the document, `until` not included. */
  readonly onShown?: (from: number, until: number) => void;
}

/** Below this all rows are in the document: the browser's own find and selection work. */
const windowedFrom = 3000;
const overscan = 30;

/** Rows of one height; of many only those near what is seen exist. Scrolls with the page. */
export function Rows({ count, height, row, show, label, onShown }: RowsProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const isWindowed = count > windowedFrom;
  const [first, setFirst] = useState(0);
  const screen = Math.ceil(innerHeight / height);
  useEffect(() => {
    if (!isWindowed) return;
    let asked = 0;
    const follow = () => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => {
        const above = -(frame.current?.getBoundingClientRect().top ?? 0);
        const seen = Math.max(0, Math.floor(above / height) - overscan);
        // only when the edge comes near: most frames change nothing
        setFirst((before) => (Math.abs(seen - before) < overscan / 2 ? before : seen));
      });
    };
    follow();
    addEventListener("scroll", follow, { passive: true });
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener("scroll", follow);
    };
  }, [isWindowed, height, count]);
  useLayoutEffect(() => {
    if (show === undefined || frame.current === null) return;
    const top = frame.current.getBoundingClientRect().top + scrollY;
    scrollTo({ top: top + show * height - innerHeight / 3 });
  }, [show, count]);
  const from = isWindowed ? Math.min(first, Math.max(0, count - 1)) : 0;
  const until = isWindowed ? Math.min(count, from + screen + 2 * overscan) : count;
  useEffect(() => onShown?.(from, until), [from, until, count]);
  const rows: JSX.Element[] = [];
  for (let index = from; index < until; index += 1) rows.push(row(index));
  return (
    <div class="rows" ref={frame} style={{ height: `${count * height}px` }}>
      <ol start={from + 1} aria-label={label} style={{ transform: `translateY(${from * height}px)` }}>
        {rows}
      </ol>
    </div>
  );
}
