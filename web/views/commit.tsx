import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { DiffAnswer, DiffRow } from "../answers.ts";
import { OwnerName, ownerClass } from "../owners.tsx";
import { link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

/** What a commit changed, with who wrote each added line. */
export function Commit({ revision }: { readonly revision: string }): JSX.Element {
  const asked = useAnswer<DiffAnswer>(`diff/${encodeURIComponent(revision)}`);
  const [split, setSplit] = useState(false);
  return (
    <Answered of={asked}>
      {(answer) => (
        <section class="commit">
          <h1>{answer.subject}</h1>
          <p class="quiet">
            {answer.commit.slice(0, 12)} by {answer.author}, {when(answer.at)},{" "}
            {plural(answer.files.length, "file")}.{" "}
            <a href={link("checkpoint", answer.commit)}>Open the conversation</a>
          </p>
          <p>
            {answer.owners.map((owner, place) => (
              <span key={place}>
                <OwnerName owner={owner} />{" "}
              </span>
            ))}
          </p>
          <form class="filters" onSubmit={(event) => event.preventDefault()}>
            <label>
              <input
                type="checkbox"
                checked={split}
                onChange={(event) => setSplit(event.currentTarget.checked)}
              />{" "}
              side by side
            </label>
          </form>
          {answer.files.map((file) => (
            <details open key={file.path} class="changed-file">
              <summary>
                {file.oldPath === undefined ? "" : `${file.oldPath} → `}
                {file.path}
              </summary>
              <p>
                <a href={link("file", file.path)}>owners of all lines</a>
              </p>
              {file.isBinary && <p class="quiet">binary</p>}
              {file.hunks.map((rows, index) => (
                <Hunk key={index} rows={rows} answer={answer} split={split} />
              ))}
            </details>
          ))}
          {answer.isCut && <p class="problem">The diff is too large to be shown whole.</p>}
        </section>
      )}
    </Answered>
  );
}

function Hunk({
  rows,
  answer,
  split,
}: {
  readonly rows: readonly DiffRow[];
  readonly answer: DiffAnswer;
  readonly split: boolean;
}): JSX.Element {
  if (!split)
    return (
      <table class="diff">
        <tbody>
          {rows.map((row, index) => (
            <tr key={index} class={kindOf(row)}>
              <td
                class={`mark ${ownerClass(row.owner === undefined ? undefined : answer.owners[row.owner])}`}
                title={row.owner === undefined ? "" : (answer.owners[row.owner]?.name ?? "")}
              />
              <td class="number">{row.old}</td>
              <td class="number">{row.next}</td>
              <td>
                <code>{row.text}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    );
  return (
    <table class="diff split">
      <tbody>
        {pairs(rows).map(([left, right], index) => (
          <tr key={index}>
            <td class="number">{left?.old}</td>
            <td class={left === undefined ? "" : kindOf(left)}>
              <code>{left?.text}</code>
            </td>
            <td
              class={`mark ${ownerClass(right?.owner === undefined ? undefined : answer.owners[right.owner])}`}
            />
            <td class="number">{right?.next}</td>
            <td class={right === undefined ? "" : kindOf(right)}>
              <code>{right?.text}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function kindOf({ old, next }: DiffRow): string {
  return old === undefined ? "added" : next === undefined ? "removed" : "";
}

/** Removed lines beside those that took their place. */
function pairs(rows: readonly DiffRow[]): (readonly [DiffRow | undefined, DiffRow | undefined])[] {
  const all: (readonly [DiffRow | undefined, DiffRow | undefined])[] = [];
  let removed: DiffRow[] = [];
  let added: DiffRow[] = [];
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1)
      all.push([removed[index], added[index]]);
    removed = [];
    added = [];
  };
  for (const row of rows) {
    if (row.old === undefined) added.push(row);
    else if (row.next === undefined) removed.push(row);
    else {
      flush();
      all.push([row, row]);
    }
  }
  flush();
  return all;
}
