import type { JSX } from "preact";
import type { PeopleAnswer } from "../answers.ts";
import { ShareBar } from "../owners.tsx";
import { plural } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

/** Who wrote how much: agents, people, unknown, and by directory. */
export function People(): JSX.Element {
  const asked = useAnswer<PeopleAnswer>("people");
  return (
    <section>
      <h1>People and agents</h1>
      <Answered of={asked}>
        {({ range, total, agents, humans, directories }) => (
          <>
            <p class="quiet">
              Added lines of {range}: {plural(total.added, "line")}
            </p>
            <ShareBar {...total} />
            <table class="plain">
              <thead>
                <tr>
                  <th scope="col">Who</th>
                  <th scope="col">Lines</th>
                  <th scope="col">Still there</th>
                </tr>
              </thead>
              <tbody>
                {agents.map(({ tool, model, added, accepted }) => (
                  <tr key={`${tool} ${model}`}>
                    <td>
                      {tool} {model}
                    </td>
                    <td>{added}</td>
                    <td>{added === 0 ? "" : `${Math.round((accepted / added) * 100)} %`}</td>
                  </tr>
                ))}
                {humans.map(({ identity, lines }) => (
                  <tr key={identity}>
                    <td>{identity}</td>
                    <td>{lines}</td>
                    <td />
                  </tr>
                ))}
                <tr>
                  <td>unknown</td>
                  <td>{total.unknown}</td>
                  <td />
                </tr>
              </tbody>
            </table>
            <h2>By directory</h2>
            <table class="plain">
              <tbody>
                {directories.map(({ path, counts }) => (
                  <tr key={path}>
                    <td>{path || "(top)"}</td>
                    <td>{counts.added}</td>
                    <td class="wide">
                      <ShareBar {...counts} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        )}
      </Answered>
    </section>
  );
}
