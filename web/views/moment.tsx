import type { JSX } from "preact";
import type { MomentAnswer } from "../answers.ts";
import { link } from "../route.ts";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

/** One turn or mark: what changed, what was pending, and the commands that bring it back. */
export function MomentView({ id }: { readonly id: string }): JSX.Element {
  const asked = useAnswer<MomentAnswer>(`moment/${encodeURIComponent(id)}`);
  return (
    <Answered of={asked}>
      {({ moment, changes, owners, continueWith }) => (
        <section>
          <h1>{moment.title}</h1>
          <p class="quiet">
            {moment.kind} {moment.id}, {when(moment.at)}
            {moment.branch === undefined ? "" : `, ${moment.branch.replace(/^refs\/heads\//, "")}`}
          </p>
          <h2>Bring it back</h2>
          <p>The plan is shown before anything is changed:</p>
          <pre class="commands">{`keyframe rewind --to ${moment.id} --dry-run\nkeyframe fork ${moment.id}\n${continueWith.flatMap(({ command }) => command ?? []).join("\n")}`}</pre>
          {owners.length > 0 && <h2>Not committed then</h2>}
          <ul>
            {owners.map(({ label, lines, files }) => (
              <li key={label}>
                {label}: {plural(lines, "line")} in {plural(files, "file")}
              </li>
            ))}
          </ul>
          <h2>{plural(changes.length, "changed file")}</h2>
          <ul>
            {changes.slice(0, 500).map(({ path, status }) => (
              <li key={path}>
                {status} <a href={link("file", path)}>{path}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Answered>
  );
}
