import type { JSX } from "preact";
import type { MachineRow, MachinesAnswer } from "../answers.ts";
import { Rows } from "../rows.tsx";
import { when } from "../time.ts";
import { Answered, useAnswer } from "../use-answer.tsx";

const rowHeight = 32;
/** Deeper ones stand no further to the right: a phone has room for few steps. */
const mostDepth = Math.max(3, Math.min(16, Math.floor(innerWidth / 80)));

/** Machines as a tree: each snapshot and sandbox below the one that it was made from. */
export function Machines(): JSX.Element {
  const asked = useAnswer<MachinesAnswer>("machines");
  return (
    <section>
      <h1>Machines</h1>
      <Answered of={asked}>
        {({ rows }) =>
          rows.length === 0 ? (
            <p class="quiet">
              There is no machine. <code>keyframe sandbox run</code> starts one, <code>keyframe run</code> an
              agent in one.
            </p>
          ) : (
            <>
              <p class="quiet">
                Each stands below the snapshot that it was made from. <code>keyframe sandbox run --help</code>{" "}
                and <code>keyframe snapshot --help</code> say how to continue from one.
              </p>
              <Rows
                count={rows.length}
                height={rowHeight}
                label="Machines"
                row={(index) => <Machine key={rows[index]?.id} row={rows[index]} />}
              />
            </>
          )
        }
      </Answered>
    </section>
  );
}

function Machine({ row }: { readonly row: MachineRow | undefined }): JSX.Element {
  if (row === undefined) return <li class="row" />;
  const { kind, id, name, depth, state, at, image, storedBytes, missing } = row;
  const x = 8 + Math.min(depth, mostDepth) * 16;
  return (
    <li class={`row machine ${kind}`} style={{ height: `${rowHeight}px` }}>
      <svg class="branching" width={x + 10} height={rowHeight} aria-hidden="true">
        {depth > 0 && (
          <polyline points={`${x - 16},0 ${x - 16},${rowHeight / 2} ${x - 6},${rowHeight / 2}`} />
        )}
        {kind === "snapshot" ? (
          <circle cx={x} cy={rowHeight / 2} r="5" />
        ) : (
          <rect x={x - 5} y={rowHeight / 2 - 5} width="10" height="10" />
        )}
      </svg>
      <span class="title">{name ?? id}</span>
      <span class="facts">
        <span class="kind">{kind}</span>
        <span class={`state ${state}`}>{state}</span>
        {name !== undefined && <span>{id}</span>}
        {image !== undefined && <span>image {image}</span>}
        {storedBytes !== undefined && <span>{(storedBytes / 1024 / 1024).toFixed(1)} MiB</span>}
        {missing !== undefined && <span class="problem">made from {missing}, which is gone</span>}
        {at !== "" && <time>{when(at)}</time>}
      </span>
    </li>
  );
}
