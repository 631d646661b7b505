import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { link } from "../route.ts";
import { Rows } from "../rows.tsx";
import { Answered, useAnswer } from "../use-answer.tsx";

const rowHeight = 28;

/** The files of the worktree, to choose one. */
export function Files(): JSX.Element {
  const asked = useAnswer<{ paths: readonly string[] }>("files");
  const [text, setText] = useState("");
  return (
    <section>
      <h1>Files</h1>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label="Filter files"
          placeholder="part of a path"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </form>
      <Answered of={asked}>
        {({ paths }) => {
          const shown = paths.filter((path) => path.toLowerCase().includes(text.toLowerCase()));
          return (
            <Rows
              count={shown.length}
              height={rowHeight}
              label="Files"
              row={(index) => (
                <li key={index} class="row" style={{ height: `${rowHeight}px` }}>
                  <span>
                    <a href={link("file", shown[index] ?? "")}>{shown[index]}</a>
                  </span>
                </li>
              )}
            />
          );
        }}
      </Answered>
    </section>
  );
}
