import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Entry } from "../answers.ts";
import { plural, when } from "../time.ts";

export interface EntryProps {
  readonly entry: Entry;
  readonly chosen: boolean;
  /** Tool calls that somebody unfolded; they stay so when they come back into view. */
  readonly unfolded: Set<number>;
}

/** What people, agents and tools wrote is text, never markup. */
export function EntryRow({ entry, chosen, unfolded }: EntryProps): JSX.Element {
  const { index, kind, text, at, tool } = entry;
  const mark = chosen ? " chosen" : "";
  if (tool === undefined)
    return (
      <li class={`entry ${kind}${mark}`} id={`entry-${index}`}>
        <span class="who">
          {kind === "user" ? "prompt" : "answer"} <time>{at === undefined ? "" : when(at)}</time>
        </span>
        <Text text={text} />
      </li>
    );
  const keep = (isOpen: boolean) => (isOpen ? unfolded.add(index) : unfolded.delete(index));
  return (
    <li class={`entry tool${mark}`} id={`entry-${index}`}>
      <details open={unfolded.has(index)} onToggle={(event) => keep(event.currentTarget.open)}>
        <summary>
          <b>{tool.name}</b> {text.split("\n", 1)[0]?.slice(0, 300)}{" "}
          {tool.failed && <span class="problem">failed</span>}
        </summary>
        <ToolInput input={tool.input} />
        {tool.output !== "" && <Text text={tool.output} quiet />}
      </details>
    </li>
  );
}

const firstLength = 20_000;

/** A long text shows its beginning, and more of it on demand. */
function Text({ text, quiet = false }: { readonly text: string; readonly quiet?: boolean }): JSX.Element {
  const [length, setLength] = useState(firstLength);
  return (
    <>
      <pre class={quiet ? "output" : undefined}>{text.slice(0, length)}</pre>
      {text.length > length && (
        <button type="button" onClick={() => setLength(length * 4)}>
          {plural(text.length - length, "character")} more
        </button>
      )}
    </>
  );
}

/** An edit is shown as a diff, everything else as it is. */
function ToolInput({ input }: { readonly input: unknown }): JSX.Element {
  const edit = editOf(input);
  if (edit === undefined)
    return <Text text={typeof input === "string" ? input : (JSON.stringify(input, null, 2) ?? "")} />;
  return (
    <pre class="edit">
      <EditLines kind="removed" mark="-" text={edit.before} />
      <EditLines kind="added" mark="+" text={edit.after} />
    </pre>
  );
}

const mostEditLines = 2000;

function EditLines({
  kind,
  mark,
  text,
}: {
  readonly kind: "added" | "removed";
  readonly mark: string;
  readonly text: string;
}): JSX.Element {
  const lines = text.split("\n");
  return (
    <>
      {lines.slice(0, mostEditLines).map((line, index) => (
        <span class={kind} key={index}>{`${mark} ${line}\n`}</span>
      ))}
      {lines.length > mostEditLines && `… ${plural(lines.length - mostEditLines, "line")} more\n`}
    </>
  );
}

function editOf(input: unknown): { readonly before: string; readonly after: string } | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const { old_string: before, new_string: after } = input as {
    readonly old_string?: unknown;
    readonly new_string?: unknown;
  };
  return typeof before === "string" && typeof after === "string" ? { before, after } : undefined;
}
