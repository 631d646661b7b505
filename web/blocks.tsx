import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface BlocksProps {
  readonly count: number;
  readonly item: (index: number) => JSX.Element;
  /** 0-based item to bring into being, so that it can be scrolled to. */
  readonly show?: number | undefined;
  readonly label: string;
}

/** So many items come and go together. */
const blockSize = 10;
/** How far above and below what is seen blocks exist, pixels. */
const margin = 800;
/** Until an item was drawn once. */
const expectedItemHeight = 70;

interface Range {
  readonly from: number;
  readonly until: number;
}

/** Items of any height; of many only the blocks near what is seen exist. Scrolls with the page. */
export function Blocks({ count, item, show, label }: BlocksProps): JSX.Element {
  const frame = useRef<HTMLElement>(null);
  const heights = useMeasuredHeights(frame);
  const blocks = Math.ceil(count / blockSize);
  const around = (index: number): Range => {
    const block = Math.floor(index / blockSize);
    return { from: Math.max(0, block - 1), until: block + 2 };
  };
  const [{ from, until }, setRange] = useState(around(show ?? 0));
  const heightOf = (block: number) =>
    heights.get(block) ?? Math.min(blockSize, count - block * blockSize) * expectedItemHeight;
  useLayoutEffect(() => {
    if (show !== undefined) setRange(around(show));
  }, [show]);
  useEffect(() => {
    let asked = 0;
    const follow = () => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => {
        const above = -(frame.current?.getBoundingClientRect().top ?? 0) - margin;
        const seen = rangeOf(blocks, heightOf, { above, below: above + innerHeight + 2 * margin });
        setRange((before) => (before.from === seen.from && before.until === seen.until ? before : seen));
      });
    };
    follow();
    addEventListener("scroll", follow, { passive: true });
    addEventListener("resize", follow);
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener("scroll", follow);
      removeEventListener("resize", follow);
    };
  }, [count]);
  const last = Math.min(until, blocks);
  const drawn = Array.from({ length: Math.max(0, last - from) }, (_, at) => from + at);
  return (
    <section aria-label={label} ref={frame}>
      <div style={{ height: `${sum(0, from, heightOf)}px` }} />
      {drawn.map((block) => (
        <ol key={block} data-block={block} start={block * blockSize + 1}>
          {Array.from({ length: Math.min(blockSize, count - block * blockSize) }, (_, at) =>
            item(block * blockSize + at),
          )}
        </ol>
      ))}
      <div style={{ height: `${sum(last, blocks, heightOf)}px` }} />
    </section>
  );
}

/** Heights of blocks that were drawn, by number; kept true while their content folds and unfolds. */
function useMeasuredHeights(frame: { readonly current: HTMLElement | null }): ReadonlyMap<number, number> {
  const heights = useRef(new Map<number, number>());
  const observer = useRef<ResizeObserver>(undefined);
  observer.current ??= new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries)
      if (target instanceof HTMLElement && target.isConnected)
        heights.current.set(Number(target.dataset["block"]), contentRect.height);
  });
  useLayoutEffect(() => {
    observer.current?.disconnect();
    for (const list of frame.current?.querySelectorAll(":scope > ol") ?? []) observer.current?.observe(list);
  });
  useEffect(() => () => observer.current?.disconnect(), []);
  return heights.current;
}

function rangeOf(
  blocks: number,
  heightOf: (block: number) => number,
  { above, below }: { readonly above: number; readonly below: number },
): Range {
  let from = 0;
  let top = 0;
  while (from < blocks - 1 && top + heightOf(from) <= above) {
    top += heightOf(from);
    from += 1;
  }
  let until = from;
  while (until < blocks && top < below) {
    top += heightOf(until);
    until += 1;
  }
  return { from, until: Math.max(until, from + 1) };
}

function sum(from: number, until: number, heightOf: (block: number) => number): number {
  let total = 0;
  for (let block = from; block < until; block += 1) total += heightOf(block);
  return total;
}

/** Calls `reached` while it is near what is seen: for more of what is read piece by piece. */
export function End({ reached }: { readonly reached: () => void }): JSX.Element {
  const place = useRef<HTMLParagraphElement>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting === true && reached(), {
      rootMargin: `${margin}px 0px`,
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [reached]);
  return (
    <p class="quiet" ref={place}>
      Reading on…
    </p>
  );
}
