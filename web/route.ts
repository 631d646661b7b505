import { signal } from "@preact/signals";

/** Where the page is: `#/file/src%2Fa.ts?line=12`. Every view has an address of its own. */
export interface Route {
  readonly view: string;
  readonly argument: string;
  readonly query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  return {
    view: view || "timeline",
    argument: decodeURIComponent(rest.join("/")),
    query: new URLSearchParams(search),
  };
}

export const route = signal(parse(location.hash));

window.addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

export function link(view: string, argument = "", query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${view}${argument === "" ? "" : `/${encodeURIComponent(argument)}`}${search === "" ? "" : `?${search}`}`;
}

export function go(to: string): void {
  location.hash = to;
}
