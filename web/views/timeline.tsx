import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Moment } from "../answers.ts";
import { canAskAnything } from "../ask.ts";
import { link } from "../route.ts";
import { Rows } from "../rows.tsx";
import { plural, when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

const rowHeight = 40;
/** What is asked for at first, and the most that the server gives. */
const firstMoments = 300;
const mostMoments = 20_000;

/** Every moment, newest first: commits as the trunk, turns and marks of sessions beside it in lanes. */
export function Timeline(): JSX.Element {
  const [all, setAll] = useState(false);
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(firstMoments);
  const asked = useAnswer<{ moments: readonly Moment[]; limit: number }>("timeline", {
    limit: String(limit),
    ...(all ? { all: "1" } : {}),
  });
  return (
    <section>
      <h1>Timeline</h1>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label="Filter the timeline"
          placeholder="filter by title, session, branch"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {canAskAnything && (
          <label>
            <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />{" "}
            every branch and worktree
          </label>
        )}
      </form>
      <Answered of={asked}>
        {({ moments }) => (
          <>
            <Moments moments={moments} text={text} />
            {canAskAnything && moments.length >= limit && limit < mostMoments && (
              <button type="button" onClick={() => setLimit(mostMoments)}>
                Show more
              </button>
            )}
          </>
        )}
      </Answered>
    </section>
  );
}

function Moments({
  moments,
  text,
}: {
  readonly moments: readonly Moment[];
  readonly text: string;
}): JSX.Element {
  const lanes = useMemo(() => lanesOf(moments), [moments]);
  const shown = useMemo(
    () => moments.filter((moment) => matches(moment, text.toLowerCase())),
    [moments, text],
  );
  if (shown.length === 0)
    return <p class="quiet">{moments.length === 0 ? "Nothing has happened yet." : "No moment matches."}</p>;
  return (
    <Rows
      count={shown.length}
      height={rowHeight}
      label="Moments"
      row={(index) => <Row key={shown[index]?.id} moment={shown[index]} lanes={lanes} />}
    />
  );
}

function matches({ title, branch, sessions, id, checkpoints }: Moment, text: string): boolean {
  if (text === "") return true;
  return [
    title,
    branch ?? "",
    id,
    ...checkpoints,
    ...sessions.map(({ tool, session }) => `${tool} ${session}`),
  ].some((part) => part.toLowerCase().includes(text));
}

const mostLanes = 6;

/** A column for each session, in the order in which they are met; the rest share the last one. */
function lanesOf(moments: readonly Moment[]): Map<string, number> {
  const lanes = new Map<string, number>();
  for (const { sessions } of moments)
    for (const { session } of sessions)
      if (!lanes.has(session)) lanes.set(session, Math.min(lanes.size, mostLanes - 1) + 1);
  return lanes;
}

function Row({
  moment,
  lanes,
}: {
  readonly moment: Moment | undefined;
  readonly lanes: Map<string, number>;
}): JSX.Element {
  if (moment === undefined) return <li class="row" />;
  const { kind, id, at, title, commit, checkpoints, branch, sessions, worktree, changedFiles } = moment;
  const lane = kind === "commit" ? 0 : (lanes.get(sessions[0]?.session ?? "") ?? 1);
  const [checkpoint] = checkpoints;
  const to =
    checkpoint !== undefined
      ? link("checkpoint", checkpoint)
      : kind === "commit"
        ? link("commit", commit)
        : link("moment", id);
  return (
    <li class={`row moment ${kind}`} style={{ height: `${rowHeight}px` }}>
      <span class="graph" aria-hidden="true">
        <svg width="112" height={rowHeight} aria-hidden="true">
          <line class="trunk" x1="8" x2="8" y1="0" y2={rowHeight} />
          {lane > 0 && <line class="branch" x1="8" x2={8 + lane * 16} y1={rowHeight} y2={rowHeight / 2} />}
          <circle class={kind} cx={8 + lane * 16} cy={rowHeight / 2} r={kind === "commit" ? 5 : 4} />
        </svg>
      </span>
      <time>{when(at)}</time>
      <span class="title">
        <a href={to}>{title || "(no title)"}</a>
      </span>
      <span class="facts">
        <span class="kind">{kind}</span>
        {branch !== undefined && <span class="branch-name">{branch.replace(/^refs\/heads\//, "")}</span>}
        {sessions.slice(0, 2).map(({ tool, session }) => (
          <span key={session}>
            {tool} {session.slice(0, 8)}
          </span>
        ))}
        {worktree !== undefined && worktree !== "" && <span>in {worktree}</span>}
        {changedFiles !== null && changedFiles !== undefined && <span>{plural(changedFiles, "file")}</span>}
        {checkpoint !== undefined && (
          <a href={link("commit", commit)} aria-label={`changes of ${title}`}>
            changes
          </a>
        )}
      </span>
    </li>
  );
}
