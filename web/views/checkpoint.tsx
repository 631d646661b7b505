import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { CheckpointAnswer, Entry } from "../answers.ts";
import { ask, canAskAnything } from "../ask.ts";
import { link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

type Filter = "all" | "prompts" | "answers" | "tools";

/** A checkpoint: what was asked, what was said and done, which files came of it. */
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
  const asked = useAnswer<CheckpointAnswer>(`checkpoint/${encodeURIComponent(id)}`, question);
  return (
    <Answered of={asked}>
      {(answer) => <Conversation key={`${id} ${answer.session}`} first={answer} question={question} />}
    </Answered>
  );
}

function Conversation({
  first,
  question,
}: {
  readonly first: CheckpointAnswer;
  readonly question: Readonly<Record<string, string>>;
}): JSX.Element {
  const { checkpoint, session, problem } = first;
  const [more, setMore] = useState<readonly Entry[]>([]);
  const [next, setNext] = useState(first.next);
  const [filter, setFilter] = useState<Filter>("all");
  const [text, setText] = useState("");
  useEffect(() => {
    setMore([]);
    setNext(first.next);
  }, [first]);
  const readOn = async () => {
    const page = await ask<CheckpointAnswer>(`checkpoint/${checkpoint.id}`, {
      ...question,
      from: String(next ?? 0),
    });
    setMore([...more, ...page.entries]);
    setNext(page.next);
  };
  const entries = [...first.entries, ...more].filter((entry) => isShown(entry, filter, text.toLowerCase()));
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
      <ol class="conversation">
        {entries.map((entry) => (
          <EntryRow key={entry.index} entry={entry} />
        ))}
      </ol>
      {next !== undefined && canAskAnything && (
        <button type="button" onClick={() => void readOn()}>
          Read on
        </button>
      )}
    </section>
  );
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

const foldedLength = 20_000;

/** What people, agents and tools wrote is text, never markup. */
function EntryRow({ entry: { index, kind, text, at, tool } }: { readonly entry: Entry }): JSX.Element {
  if (tool === undefined)
    return (
      <li class={`entry ${kind}`} id={`entry-${index}`}>
        <span class="who">
          {kind === "user" ? "prompt" : "answer"} <time>{at === undefined ? "" : when(at)}</time>
        </span>
        <pre>{cut(text)}</pre>
      </li>
    );
  return (
    <li class="entry tool" id={`entry-${index}`}>
      <details>
        <summary>
          <b>{tool.name}</b> {text.split("\n")[0]?.slice(0, 300)}{" "}
          {tool.failed && <span class="problem">failed</span>}
        </summary>
        <ToolInput input={tool.input} />
        {tool.output !== "" && <pre class="output">{cut(tool.output)}</pre>}
      </details>
    </li>
  );
}

/** An edit is shown as a diff, everything else as it is. */
function ToolInput({ input }: { readonly input: unknown }): JSX.Element {
  if (typeof input === "object" && input !== null) {
    const { old_string: before, new_string: after } = input as {
      readonly old_string?: unknown;
      readonly new_string?: unknown;
    };
    if (typeof before === "string" && typeof after === "string")
      return (
        <pre class="edit">
          {cut(before)
            .split("\n")
            .map((line, index) => (
              <span class="removed" key={`-${index}`}>{`- ${line}\n`}</span>
            ))}
          {cut(after)
            .split("\n")
            .map((line, index) => (
              <span class="added" key={`+${index}`}>{`+ ${line}\n`}</span>
            ))}
        </pre>
      );
  }
  return <pre>{cut(typeof input === "string" ? input : (JSON.stringify(input, null, 2) ?? ""))}</pre>;
}

function cut(text: string): string {
  return text.length <= foldedLength
    ? text
    : `${text.slice(0, foldedLength)}\n… ${plural(text.length - foldedLength, "character")} more`;
}
