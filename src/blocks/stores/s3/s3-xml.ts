import { KeyframeError } from "../../../base/errors.ts";

/** The text inside each `<name>` of an S3 answer, in order; S3 nests no element in one of the same name that we read. */
export function elements(xml: string, name: string): string[] {
  const [begin, end] = [`<${name}`, `</${name}>`];
  const found: string[] = [];
  for (let at = xml.indexOf(begin); at !== -1; at = xml.indexOf(begin, at)) {
    at += begin.length;
    const next = xml[at];
    if (next !== ">" && next !== " ") continue;
    const start = next === ">" ? at : xml.indexOf(">", at);
    // one that is not closed is the last: looking for the ends of a million of them would take hours
    const stop = start === -1 ? -1 : xml.indexOf(end, start);
    if (stop === -1) return found;
    found.push(xml.slice(start + 1, stop));
    at = stop + end.length;
  }
  return found;
}

/** The unescaped text of the first `<name>`, empty if there is none. */
export function elementText(xml: string, name: string): string {
  return unescapeXml(elements(xml, name)[0] ?? "");
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[name as string] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A bucket of so many pages, a thousand entries each, is a server that never ends. */
const maxPages = 10_000;

/**
 * The query that asks for the next page of a list, by the elements that its parts are taken from; undefined after the
 * last one. @throws KeyframeError `remote-failed` for a list that does not go on, or never ends
 */
export function createPager(
  names: Readonly<Record<string, string>>,
): (xml: string) => Record<string, string> | undefined {
  let before = "";
  let pages = 0;
  return (xml) => {
    if (elementText(xml, "IsTruncated") !== "true") return undefined;
    const query = Object.fromEntries(
      Object.entries(names).map(([key, element]) => [key, elementText(xml, element)]),
    );
    const next = JSON.stringify(query);
    pages += 1;
    if (next === before || pages > maxPages)
      throw new KeyframeError("remote-failed", "the server's list goes round in a circle", {
        hint: "it is not an S3 server, or a broken one: nothing was changed",
      });
    before = next;
    return query;
  };
}
