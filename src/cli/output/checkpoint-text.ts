import { printable } from "./terminal.ts";

/** The first line of a text, safe to show, cut to a width. */
export function firstLine(text: string | undefined, width: number): string {
  const line = printable((text ?? "").trim().split("\n")[0] ?? "");
  return line.length <= width ? line : `${line.slice(0, Math.max(1, width - 1))}…`;
}

/** "2026-02-16 12:01:04" in the user's time zone; "unknown time" where there is none. */
export function localTime(iso: string | undefined): string {
  const date = new Date(iso ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return "unknown time";
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
