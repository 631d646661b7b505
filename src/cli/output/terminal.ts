import { styleText } from "node:util";
import { cellWidth } from "../../base/text/cell-width.ts";
import { cleanJson, cleanLine, cleanOutput, cleanText } from "../../base/text/clean-text.ts";

export interface OutputStream {
  /** `done` is called when the bytes are on their way, so that a fast writer can wait for a slow reader. */
  write(content: string | Uint8Array, done?: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

type Style = Parameters<typeof styleText>[0];

/**
 * What a command prints through. Results go to `out`, everything else to `note`, both cleaned of what could drive the
 * terminal, so that a part that nobody cleaned cannot either. Colour only on a terminal, or where
 * FORCE_COLOR asks for it; never under NO_COLOR or TERM=dumb.
 */
export interface Terminal {
  readonly isInteractive: boolean;
  readonly columns: number;
  out(text: string): void;
  note(text: string): void;
  json(value: unknown): void;
  style(style: Style, text: string): string;
}

export function createTerminal(stdout: OutputStream, stderr: OutputStream, env: NodeJS.ProcessEnv): Terminal {
  const colours = wantsColour(stdout, env);
  return {
    isInteractive: stdout.isTTY === true,
    columns: stdout.columns ?? (Number(env["COLUMNS"]) || 80),
    out: (text) => void stdout.write(`${cleanOutput(text, { styled: colours })}\n`),
    note: (text) => void stderr.write(`${cleanOutput(text, { styled: colours })}\n`),
    json: (value) => void stdout.write(`${cleanJson(JSON.stringify(value, null, 2))}\n`),
    style: (style, text) => (colours ? styleText(style, text) : text),
  };
}

function wantsColour(stdout: OutputStream, env: NodeJS.ProcessEnv): boolean {
  if (env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"] !== undefined) return env["FORCE_COLOR"] !== "0";
  return stdout.isTTY === true && env["TERM"] !== "dumb";
}

/** Bytes as they are for a program; on a terminal nothing in them drives it, and git's own colours stay. */
export function exactOutput(terminal: Terminal, bytes: Uint8Array): Uint8Array | string {
  return terminal.isInteractive ? cleanOutput(Buffer.from(bytes).toString("utf8"), { styled: true }) : bytes;
}

export interface Column {
  readonly align?: "left" | "right";
}

/** Rows as aligned columns two spaces apart; wide and combining characters count as they are shown. */
export function formatTable(rows: readonly (readonly string[])[], columns: readonly Column[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cellWidth(cell));
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => {
          const padding = " ".repeat((widths[index] ?? 0) - cellWidth(cell));
          return columns[index]?.align === "right" ? padding + cell : cell + padding;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Text from outside (a path, a name, a subject) made safe to show on one line. */
export function printable(text: string): string {
  return cleanLine(text);
}

/** Text from outside that has lines (a prompt, an answer, a file's content) made safe to show. */
export function printableText(text: string): string {
  return cleanText(text);
}
