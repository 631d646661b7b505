import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { SearchAnswer } from "../answers.ts";
import { go, link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

/** Code, prompts and conversations that hold all words. */
export function Search({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const wanted = query.get("q") ?? "";
  const [text, setText] = useState(wanted);
  return (
    <section>
      <h1>Search</h1>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          go(link("search", "", { q: text }));
        }}
      >
        <input
          type="search"
          id="search"
          aria-label="Search code and conversations"
          placeholder="code, prompts, conversations"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit">Search</button>
      </form>
      {wanted !== "" && <Found text={wanted} />}
    </section>
  );
}

function Found({ text }: { readonly text: string }): JSX.Element {
  const asked = useAnswer<SearchAnswer>("search", { q: text });
  return (
    <Answered of={asked}>
      {({ total, hits, code }) => (
        <>
          <h2>{plural(total, "place in conversations", "places in conversations")}</h2>
          <ul class="cards">
            {hits.map(({ id, createdAt, agent, kind, text: found }, index) => (
              <li key={`${id} ${index}`}>
                <a href={link("checkpoint", id)}>{around(found, text)}</a>
                <br />
                <span class="quiet">
                  {kind}, {agent ?? "unknown agent"}, {when(createdAt)}
                </span>
              </li>
            ))}
          </ul>
          <h2>{plural(code.length, "line of code", "lines of code")}</h2>
          <ul class="cards">
            {code.map(({ path, line, text: found }) => (
              <li key={`${path}:${line}`}>
                <a href={link("file", path, { line: String(line) })}>
                  {path}:{line}
                </a>
                <br />
                <code>{found.trim()}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </Answered>
  );
}

function around(text: string, words: string): string {
  const flat = text.replace(/\s+/g, " ");
  const at = Math.max(0, flat.toLowerCase().indexOf((words.split(" ")[0] ?? "").toLowerCase()));
  const from = Math.max(0, at - 80);
  return `${from > 0 ? "…" : ""}${flat.slice(from, from + 240)}`;
}
