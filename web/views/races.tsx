import type { JSX } from "preact";
import type { RaceAnswer, RacesAnswer } from "../answers.ts";
import { link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

/** All races of the repository. */
export function Races(): JSX.Element {
  const asked = useAnswer<RacesAnswer>("races");
  return (
    <section>
      <h1>Races</h1>
      <Answered of={asked}>
        {({ races }) =>
          races.length === 0 ? (
            <p class="quiet">No races yet: keyframe race start</p>
          ) : (
            <ul class="cards">
              {races.map(({ id, at, prompt, lanes, adopted }) => (
                <li key={id}>
                  <a href={link("race", id)}>{prompt.split("\n")[0]}</a>
                  <br />
                  <span class="quiet">
                    {when(at)}, {plural(lanes.length, "lane")}
                    {adopted === null ? "" : `, adopted ${adopted}`}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Answered>
    </section>
  );
}

/** One race: a row a lane, facts only. */
export function Race({ id }: { readonly id: string }): JSX.Element {
  const asked = useAnswer<RaceAnswer>(`race/${encodeURIComponent(id)}`);
  return (
    <Answered of={asked}>
      {({ prompt, at, rows, adopted }) => (
        <section>
          <h1>{prompt.split("\n")[0]}</h1>
          <p class="quiet">
            race {id}, {when(at)}
          </p>
          <table class="plain">
            <thead>
              <tr>
                {[
                  "Lane",
                  "State",
                  "Checks",
                  "Tests",
                  "Diff",
                  "Lines observed",
                  "Tokens",
                  "Turns",
                  "Time",
                ].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ lane, passed, checks, tests, tokens, turns, command }) => (
                <tr key={lane.name} class={adopted === lane.name ? "chosen" : ""}>
                  <th scope="row" title={command}>
                    {lane.commit === undefined ? (
                      lane.name
                    ) : (
                      <a href={link("commit", lane.commit)}>{lane.name}</a>
                    )}
                    {adopted === lane.name && " (adopted)"}
                  </th>
                  <td>{lane.problem ?? lane.state}</td>
                  <td>{checks === 0 ? "" : `${passed} of ${checks}`}</td>
                  <td title={[...tests.fixed, ...tests.broken].join("\n")}>
                    {tests.fixed.length > 0 && `${tests.fixed.length} fixed `}
                    {tests.broken.length > 0 && <span class="problem">{tests.broken.length} broken</span>}
                  </td>
                  <td>{lane.diff === undefined ? "" : `+${lane.diff.added} -${lane.diff.removed}`}</td>
                  <td>
                    {lane.observedLines === undefined
                      ? ""
                      : `${lane.observedLines} of ${lane.observedLines + (lane.unknownLines ?? 0)}`}
                  </td>
                  <td>{tokens || ""}</td>
                  <td>{turns || ""}</td>
                  <td>{lane.durationMs === undefined ? "" : `${Math.round(lane.durationMs / 1000)} s`}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <pre class="commands">
            {rows
              .filter(({ lane }) => lane.commit !== undefined)
              .map(({ lane }) => `keyframe race adopt ${lane.name} --race ${id} --dry-run`)
              .join("\n")}
          </pre>
        </section>
      )}
    </Answered>
  );
}
