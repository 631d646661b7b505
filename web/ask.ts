import { signal } from "@preact/signals";

/** Counts changes of the repository: what is shown is asked for again when it moves. */
export const changes = signal(0);

const isStatic = document.documentElement.dataset["static"] === "1";

// where web/boot.ts put it
const token = isStatic ? null : sessionStorage.getItem("token");
const headers: HeadersInit = token === null ? {} : { authorization: `Bearer ${token}` };

/** Asks the server; a page made of files has its answers beside it. */
export async function ask<T>(
  question: string,
  query: Readonly<Record<string, string>> = {},
  stop?: AbortSignal,
): Promise<T> {
  if (isStatic) return askFiles<T>(question);
  const search = new URLSearchParams(query).toString();
  const response = await fetch(`/api/${question}${search === "" ? "" : `?${search}`}`, {
    headers,
    ...(stop === undefined ? {} : { signal: stop }),
  });
  const answer = (await response.json()) as T & {
    readonly error?: { readonly message: string; readonly hint?: string };
  };
  if (!response.ok)
    throw new Error(
      [answer.error?.message ?? response.statusText, answer.error?.hint].filter(Boolean).join(". "),
    );
  return answer;
}

const waiting = new Map<string, (answer: never) => void>();

declare global {
  interface Window {
    keyframeAnswer: (question: string, answer: never) => void;
  }
}

window.keyframeAnswer = (question, answer) => waiting.get(question)?.(answer);

/** Scripts, not fetch: browsers let a page of files load no other data from files. */
function askFiles<T>(question: string): Promise<T> {
  const decoded = decodeURIComponent(question);
  return new Promise((resolve, reject) => {
    waiting.set(decoded, resolve as (answer: never) => void);
    const script = document.createElement("script");
    script.src = `./data/${encodeURIComponent(decoded).replaceAll("%", "_")}.js`;
    script.onerror = () =>
      reject(new Error("this page was written without it: run `keyframe web` in the repository"));
    document.head.append(script);
  });
}

export const canAskAnything = !isStatic;

/** Follows the repository as long as the page is open; reconnects when the server comes back. */
export async function followChanges(): Promise<void> {
  if (isStatic) return;
  for (;;) {
    try {
      const response = await fetch("/api/changes", { headers });
      const reader = response.body?.getReader();
      for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read())
        if (new TextDecoder().decode(part.value).includes("event: change")) changes.value += 1;
    } catch {
      // the server has gone
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
