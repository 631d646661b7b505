import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { CheckpointAnswer, Entry } from "../answers.ts";
import { ask, canAskAnything } from "../ask.ts";
import { Blocks, End } from "../blocks.tsx";
import { link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";
import { EntryRow } from "./entry.tsx";

type Filter = "all" | "prompts" | "answers" | "tools";

/**
 * A checkpoint: what was asked, what was said and done, which files came of it. `session` in the address is a place or an
 * id; `prompt` leads to the turn that it began.
 */
export function Checkpoint({
  id,
  query,
}: {
  readonly id: string;
  readonly query: URLSearchParams;
}): JSX.Element {
  const session = query.get("session");
  const question = {
    count: "500",
    ...(session === null ? {} : { session }),
    ...(query.has("full") ? { full: "1" } : {}),
  };
  // a checkpoint does not change: what is read stays where it is while the repository moves on
  const asked = useAnswer<CheckpointAnswer>(`checkpoint/${encodeURIComponent(id)}`, question, { once: true });
  return (
    <Answered of={asked}>
      {(answer) => (
        <Conversation
          key={`${id} ${answer.session}`}
          first={answer}
          question={question}
          prompt={query.get("prompt") ?? undefined}
        />
      )}
    </Answered>
  );
}

interface ReadSoFar {
  readonly entries: readonly Entry[];
  readonly next?: number | undefined;
  readonly problem?: string | undefined;
}

/** What the server gives in one answer. */
const mostAtOnce = 20_000;

/** The conversation as far as it was read, and how to read on. */
function useConversation(
  { checkpoint, entries, next, problem }: CheckpointAnswer,
  question: Readonly<Record<string, string>>,
): ReadSoFar & { readonly readOn: () => void } {
  const [read, setRead] = useState<ReadSoFar>({ entries, next, problem });
  const isReading = useRef(false);
  const readOn = useCallback(() => {
    if (isReading.current || read.next === undefined) return;
    isReading.current = true;
    // the server reads a conversation from its start each time: ever larger pieces keep that few times
    const count = String(Math.min(mostAtOnce, 3 * read.entries.length));
    ask<CheckpointAnswer>(`checkpoint/${checkpoint.id}`, {
      ...question,
      from: String(read.next),
      count,
    }).then(
      (page) => {
        isReading.current = false;
        setRead({ entries: [...read.entries, ...page.entries], next: page.next, problem: page.problem });
      },
      (error: unknown) => setRead({ ...read, next: undefined, problem: String(error) }),
    );
  }, [read]);
  return { ...read, readOn };
}

function Conversation({
  first,
  question,
  prompt,
}: {
  readonly first: CheckpointAnswer;
  readonly question: Readonly<Record<string, string>>;
  readonly prompt: string | undefined;
}): JSX.Element {
  const { checkpoint, session } = first;
  const { entries, next, problem, readOn } = useConversation(first, question);
  const [filter, setFilter] = useState<Filter>("all");
  const [text, setText] = useState("");
  const unfolded = useRef(new Set<number>());
  const shown = useMemo(
    () => entries.filter((entry) => isShown(entry, filter, text.toLowerCase())),
    [entries, filter, text],
  );
  const chosen = useMemo(() => shown.findLastIndex((entry) => isPrompt(entry, prompt)), [shown, prompt]);
  useEffect(() => {
    if (chosen >= 0) document.querySelector(".entry.chosen")?.scrollIntoView({ block: "center" });
    else if (prompt !== undefined) readOn();
  }, [chosen, readOn]);
  const one = checkpoint.sessions[session];
  return (
    <section class="checkpoint">
      <h1>{one?.prompts.at(-1)?.split("\n")[0] ?? `Checkpoint ${checkpoint.id}`}</h1>
      <p class="quiet">
        checkpoint {checkpoint.id}, {when(checkpoint.createdAt)}, {one?.agent ?? "unknown agent"}{" "}
        {one?.model ?? ""}
        {checkpoint.author === undefined ? "" : `, ${checkpoint.author}`}
      </p>
      <Facts answer={first} />
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label="Find in the conversation"
          placeholder="find in the conversation"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <fieldset>
          <legend class="hidden">Show</legend>
          {(["all", "prompts", "answers", "tools"] as const).map((each) => (
            <label key={each}>
              <input type="radio" name="filter" checked={filter === each} onChange={() => setFilter(each)} />{" "}
              {each}
            </label>
          ))}
        </fieldset>
      </form>
      {problem !== undefined && <p class="problem">{problem}</p>}
      <div class="conversation" data-entries={entries.length}>
        <Blocks
          key={`${filter} ${text}`}
          count={shown.length}
          label="Conversation"
          show={chosen === -1 ? undefined : chosen}
          item={(index) => {
            const entry = shown[index];
            if (entry === undefined) return <li key={index} />;
            return (
              <EntryRow
                key={entry.index}
                entry={entry}
                chosen={index === chosen}
                unfolded={unfolded.current}
              />
            );
          }}
        />
      </div>
      {next !== undefined && canAskAnything && <End reached={readOn} />}
    </section>
  );
}

/** A note may hold only the beginning of a prompt. */
function isPrompt({ kind, text }: Entry, prompt: string | undefined): boolean {
  return prompt !== undefined && kind === "user" && text.trim().startsWith(prompt.trim().replace(/…$/, ""));
}

function Facts({ answer: { checkpoint, session } }: { readonly answer: CheckpointAnswer }): JSX.Element {
  const tokens = Object.values(checkpoint.tokens).reduce(
    (sum, count) => sum + (typeof count === "number" ? count : 0),
    0,
  );
  return (
    <dl class="facts-list">
      {checkpoint.commits.map(({ oid, shortOid, subject }) => (
        <div key={oid}>
          <dt>commit</dt>
          <dd>
            <a href={link("commit", oid)}>
              {shortOid} {subject}
            </a>
          </dd>
        </div>
      ))}
      {checkpoint.sessions.length > 1 && (
        <div>
          <dt>sessions</dt>
          <dd>
            {checkpoint.sessions.map(({ agent, sessionId }, index) => (
              <a
                key={sessionId ?? index}
                href={link("checkpoint", checkpoint.id, { session: String(index) })}
                aria-current={index === session ? "true" : undefined}
              >
                {agent ?? "unknown"} {sessionId?.slice(0, 8)}{" "}
              </a>
            ))}
          </dd>
        </div>
      )}
      <div>
        <dt>files</dt>
        <dd>
          {checkpoint.filesTouched.slice(0, 30).map((path) => (
            <a key={path} href={link("file", path)}>
              {path}{" "}
            </a>
          ))}
          {checkpoint.filesTouched.length > 30 && `and ${checkpoint.filesTouched.length - 30} more`}
        </dd>
      </div>
      {tokens > 0 && (
        <div>
          <dt>tokens</dt>
          <dd>{plural(tokens, "token")}</dd>
        </div>
      )}
    </dl>
  );
}

function isShown({ kind, text, tool }: Entry, filter: Filter, find: string): boolean {
  const hasKind =
    filter === "all" ||
    (filter === "prompts" && kind === "user") ||
    (filter === "answers" && kind === "assistant") ||
    (filter === "tools" && kind === "tool");
  return (
    hasKind &&
    (find === "" || text.toLowerCase().includes(find) || (tool?.output.toLowerCase().includes(find) ?? false))
  );
}
