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
        {({ range, total, agents, humans, sessions, weeks, directories }) => (
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
            {weeks.length > 1 && <Weeks weeks={weeks} />}
            <Sessions sessions={sessions} />
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

const weekWidth = 24;
const chartHeight = 120;

/** Lines by owner and week of their commit; the line is what of the agents' is still there. */
function Weeks({ weeks }: { readonly weeks: PeopleAnswer["weeks"] }): JSX.Element {
  const most = Math.max(1, ...weeks.map(({ added }) => added));
  const high = (lines: number) => (lines / most) * chartHeight;
  const kept = weeks.map(({ accepted }, at) => `${at * weekWidth + 10},${chartHeight - high(accepted)}`);
  return (
    <>
      <h2>By week</h2>
      <svg
        class="weeks"
        viewBox={`0 0 ${weeks.length * weekWidth} ${chartHeight}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Added lines of ${plural(weeks.length, "week")}; the line is what of the agents' is still there`}
      >
        {weeks.map(({ week, agents, humans, unknown, accepted }, at) => {
          const x = at * weekWidth;
          return (
            <g key={week}>
              <title>
                {`${week}: agents ${agents} (${accepted} still there), people ${humans}, unknown ${unknown}`}
              </title>
              <rect class="agents" x={x} y={chartHeight - high(agents)} width="20" height={high(agents)} />
              <rect
                class="humans"
                x={x}
                y={chartHeight - high(agents + humans)}
                width="20"
                height={high(humans)}
              />
              <rect
                class="unknown"
                x={x}
                y={chartHeight - high(agents + humans + unknown)}
                width="20"
                height={high(unknown)}
              />
            </g>
          );
        })}
        <polyline class="kept" points={kept.join(" ")} />
      </svg>
      <p class="quiet">
        {weeks[0]?.week} to {weeks.at(-1)?.week}, by the Monday of the week
      </p>
    </>
  );
}

/** What became of each conversation's lines. */
function Sessions({ sessions }: { readonly sessions: PeopleAnswer["sessions"] }): JSX.Element {
  return (
    <>
      <h2>What became of each conversation's lines</h2>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Conversation</th>
            <th scope="col">Lines</th>
            <th scope="col">Still there</th>
            <th scope="col">Replaced</th>
            <th scope="col">Gone</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map(({ tool, model, conversation, added, accepted, overridden }) => (
            <tr key={`${tool} ${conversation}`}>
              <td>
                {tool} {model} <span class="quiet">{conversation.slice(0, 40)}</span>
              </td>
              <td>{added}</td>
              <td>
                {accepted} ({added === 0 ? 0 : Math.round((accepted / added) * 100)} %)
              </td>
              <td>{overridden}</td>
              <td>{added - accepted - overridden}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
