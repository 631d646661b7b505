import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, changes } from "./ask.ts";

export interface Asked<T> {
  readonly answer?: T;
  readonly problem?: string;
}

/** Asks when the question changes, and again when the repository does unless it is asked `once`; the old answer stays until the new one is here. */
export function useAnswer<T>(
  question: string,
  query: Readonly<Record<string, string>> = {},
  { once = false }: { readonly once?: boolean } = {},
): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { readonly of?: string }>({});
  const key = `${question}?${new URLSearchParams(query).toString()}`;
  const version = once ? 0 : changes.value;
  useEffect(() => {
    const stop = new AbortController();
    ask<T>(question, query, stop.signal).then(
      (answer) => setAsked({ answer, of: key }),
      (error: unknown) => {
        if (!stop.signal.aborted)
          setAsked({ problem: error instanceof Error ? error.message : String(error), of: key });
      },
    );
    return () => stop.abort();
  }, [key, version]);
  return asked.of === key ? asked : {};
}

/** Shows an answer, that it is awaited, or why there is none. */
export function Answered<T>({
  of,
  children,
}: {
  readonly of: Asked<T>;
  readonly children: (answer: T) => ComponentChildren;
}): JSX.Element {
  if (of.problem !== undefined)
    return (
      <p class="problem" role="alert">
        {of.problem}
      </p>
    );
  if (of.answer === undefined)
    return (
      <p class="quiet" aria-busy="true">
        Loading…
      </p>
    );
  return <>{children(of.answer)}</>;
}
