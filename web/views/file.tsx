import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { FileAnswer, Owner } from "../answers.ts";
import { Code } from "../highlight/code.tsx";
import { usePaint } from "../highlight/use-paint.ts";
import { OwnerName, ownerClass } from "../owners.tsx";
import { link } from "../route.ts";
import { Rows } from "../rows.tsx";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

const lineHeight = 20;

/** A file with the owner of each line beside it; a line leads to the conversation that wrote it. */
export function File({
  path,
  query,
}: {
  readonly path: string;
  readonly query: URLSearchParams;
}): JSX.Element {
  const revision = query.get("revision");
  const asked = useAnswer<FileAnswer>(
    `file/${encodeURIComponent(path)}`,
    revision === null ? {} : { revision },
  );
  const line = Number(query.get("line") ?? 0);
  return <Answered of={asked}>{(answer) => <Lines answer={answer} line={line} />}</Answered>;
}

interface LineFacts {
  readonly owner: Int32Array;
  readonly commit: Int32Array;
  readonly first: Uint8Array;
}

/** One number a line instead of one object: a large file stays small. */
function spread({ text, runs }: FileAnswer): LineFacts {
  const facts = {
    owner: new Int32Array(text.length),
    commit: new Int32Array(text.length),
    first: new Uint8Array(text.length),
  };
  let at = 0;
  for (const [count, owner, commit] of runs) {
    facts.first[at] = 1;
    facts.owner.fill(owner, at, at + count);
    facts.commit.fill(commit, at, at + count);
    at += count;
  }
  return facts;
}

function Lines({ answer, line }: { readonly answer: FileAnswer; readonly line: number }): JSX.Element {
  const facts = useMemo(() => spread(answer), [answer]);
  const paint = usePaint(answer.path, answer.text);
  const [chosen, setChosen] = useState(line);
  const ownerAt = (index: number): Owner | undefined => answer.owners[facts.owner[index] ?? -1];
  return (
    <section class="file">
      <h1>{answer.path}</h1>
      <p class="quiet">
        {plural(answer.text.length, "line")}
        {answer.owners.map((owner, place) => (
          <span key={place}>
            {" "}
            <OwnerName owner={owner} /> {plural(countOf(facts.owner, place), "line")}
          </span>
        ))}{" "}
        <span class="owner unknown">unknown</span> {plural(countOf(facts.owner, -1), "line")}
      </p>
      <Strip answer={answer} />
      <Rows
        count={answer.text.length}
        height={lineHeight}
        label={`Lines of ${answer.path}`}
        onShown={paint.see}
        {...(line > 0 ? { show: line - 1 } : {})}
        row={(index) => (
          <li
            key={index}
            class={`row line ${ownerClass(ownerAt(index))}${chosen === index + 1 ? " chosen" : ""}`}
            style={{ height: `${lineHeight}px` }}
          >
            <span class="gutter">{facts.first[index] === 1 ? (ownerAt(index)?.name ?? "unknown") : ""}</span>
            <button
              type="button"
              class="number"
              aria-label={`line ${index + 1}: where it came from`}
              onClick={() => setChosen(index + 1)}
            >
              {index + 1}
            </button>
            <Code text={answer.text[index] ?? ""} line={paint.lineAt(index)} />
          </li>
        )}
      />
      {chosen > 0 && <LineCard answer={answer} facts={facts} line={chosen} close={() => setChosen(0)} />}
    </section>
  );
}

function countOf(owners: Int32Array, place: number): number {
  let count = 0;
  for (const owner of owners) if (owner === place) count += 1;
  return count;
}

/** The whole file as a strip of colour. */
function Strip({ answer }: { readonly answer: FileAnswer }): JSX.Element {
  let at = 0;
  const total = Math.max(1, answer.text.length);
  const bands = answer.runs.slice(0, 2000).map(([count, owner], index) => {
    const x = (at / total) * 100;
    at += count;
    return (
      <rect
        key={index}
        class={ownerClass(answer.owners[owner])}
        x={x}
        width={(count / total) * 100}
        height="4"
      />
    );
  });
  return (
    <svg
      class="strip"
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      role="img"
      aria-label="Owners along the file"
    >
      {bands}
    </svg>
  );
}

function LineCard({
  answer,
  facts,
  line,
  close,
}: {
  readonly answer: FileAnswer;
  readonly facts: LineFacts;
  readonly line: number;
  readonly close: () => void;
}): JSX.Element {
  const owner = answer.owners[facts.owner[line - 1] ?? -1];
  const commit = answer.commits[facts.commit[line - 1] ?? -1];
  return (
    <aside class="card" aria-label={`Where line ${line} came from`}>
      <button type="button" class="close" onClick={close}>
        close
      </button>
      <h2>Line {line}</h2>
      <p>
        <OwnerName owner={owner} />{" "}
        {owner?.session !== undefined && <span class="quiet">session {owner.session}</span>}
      </p>
      {owner?.prompt !== undefined && <blockquote>{owner.prompt}</blockquote>}
      {commit === undefined ? (
        <p>Not committed yet.</p>
      ) : (
        <>
          <p>
            <a href={link("commit", commit.commit)}>{commit.subject}</a>
            <br />
            <span class="quiet">
              {commit.commit.slice(0, 12)} by {commit.author},{" "}
              {when(new Date(commit.time * 1000).toISOString())}
            </span>
          </p>
          <p>
            <a href={link("checkpoint", commit.commit, turnOf(owner))}>Open the conversation</a>
          </p>
        </>
      )}
    </aside>
  );
}

/** Leads to the very turn. */
function turnOf(owner: Owner | undefined): Record<string, string> {
  return {
    ...(owner?.session === undefined ? {} : { session: owner.session }),
    ...(owner?.prompt === undefined ? {} : { prompt: owner.prompt.slice(0, 500) }),
  };
}
