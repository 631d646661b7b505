import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { canAskAnything, followChanges } from "./ask.ts";
import { go, link, route } from "./route.ts";
import { Checkpoint } from "./views/checkpoint.tsx";
import { Commit } from "./views/commit.tsx";
import { File } from "./views/file.tsx";
import { Files } from "./views/files.tsx";
import { Machines } from "./views/machines.tsx";
import { MomentView } from "./views/moment.tsx";
import { People } from "./views/people.tsx";
import { Race, Races } from "./views/races.tsx";
import { Search } from "./views/search.tsx";
import { Timeline } from "./views/timeline.tsx";

const places = canAskAnything
  ? (["timeline", "files", "people", "races", "machines", "search"] as const)
  : (["timeline"] as const);

const keys: readonly (readonly [string, string])[] = [
  ["j, k", "next and previous link"],
  ["t, f, p, r, m", "timeline, files, people, races, machines"],
  ["/", "search"],
  ["Escape", "back"],
  ["?", "this list"],
];

function App(): JSX.Element {
  const { view, argument, query } = route.value;
  const [help, setHelp] = useState(false);
  useKeyboard(() => setHelp((shown) => !shown));
  useEffect(() => scrollTo(0, 0), [view, argument]);
  return (
    <>
      <header>
        <a class="home" href={link("timeline")}>
          Keyframe
        </a>
        <nav aria-label="Views">
          {places.map((place) => (
            <a key={place} href={link(place)} aria-current={view === place ? "page" : undefined}>
              {place}
            </a>
          ))}
        </nav>
      </header>
      <main>{show(view, argument, query)}</main>
      {help && (
        <dialog open aria-label="Keys">
          <dl>
            {keys.map(([key, does]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        </dialog>
      )}
    </>
  );
}

function show(view: string, argument: string, query: URLSearchParams): JSX.Element {
  switch (view) {
    case "timeline":
      return <Timeline />;
    case "checkpoint":
      return <Checkpoint id={argument} query={query} />;
    case "commit":
      return <Commit revision={argument} />;
    case "moment":
      return <MomentView id={argument} />;
    case "files":
      return <Files />;
    case "file":
      return <File key={`${argument} ${query.get("line") ?? ""}`} path={argument} query={query} />;
    case "people":
      return <People />;
    case "races":
      return <Races />;
    case "race":
      return <Race id={argument} />;
    case "machines":
      return <Machines />;
    case "search":
      return <Search key={query.get("q") ?? ""} query={query} />;
    default:
      return <p class="problem">There is no view named {view}.</p>;
  }
}

function useKeyboard(toggleHelp: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key === "Escape" && isTyping) (event.target as HTMLElement).blur();
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = actions[event.key];
      if (act === undefined && event.key !== "?") return;
      event.preventDefault();
      if (event.key === "?") toggleHelp();
      else act?.();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

const actions: Readonly<Record<string, (() => void) | undefined>> = {
  j: () => move(1),
  k: () => move(-1),
  t: () => go(link("timeline")),
  f: () => go(link("files")),
  p: () => go(link("people")),
  r: () => go(link("races")),
  m: () => go(link("machines")),
  "/": () => {
    go(link("search"));
    setTimeout(() => document.getElementById("search")?.focus(), 50);
  },
  Escape: () => history.back(),
};

/** To the next or the previous link of the view. */
function move(step: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>("main a, main summary")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = links[at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
void followChanges();
