import { ownerLabel } from "../../authorship/note/owner-label.ts";
import type { Owner } from "../../authorship/note/owners.ts";
import { cellWidth } from "../../base/text/cell-width.ts";
import { printable, type Terminal } from "./terminal.ts";

/** Widest owner column, in terminal cells. */
const maxLabelCells = 28;

/** An owner's name as a terminal may see it: agents and humans differ by colour, and by the slash of `tool/model`. */
export function styledOwner(terminal: Pick<Terminal, "style">, owner: Owner): string {
  return terminal.style(owner.kind === "agent" ? "magenta" : "green", shownLabel(owner));
}

/** The label cut to the column's width, without anything that could drive the terminal. */
export function shownLabel(owner: Owner): string {
  const label = printable(ownerLabel(owner)).replace(/\s+/g, " ");
  if (cellWidth(label) <= maxLabelCells) return label;
  let cut = "";
  for (const char of label) {
    if (cellWidth(cut + char) > maxLabelCells - 1) break;
    cut += char;
  }
  return `${cut}…`;
}

/** Cells of one width, each with a space before it; undefined if nobody owns any line, and so no column is needed. */
export function ownerCells(
  terminal: Pick<Terminal, "style">,
  owners: readonly (Owner | undefined)[],
): ((index: number) => string) | undefined {
  const present = new Set(owners.filter((owner) => owner !== undefined));
  let width = 0;
  for (const owner of present) width = Math.max(width, cellWidth(shownLabel(owner)));
  if (width === 0) return undefined;
  const nobody = " ".repeat(width + 1);
  const cells = new Map([...present].map((owner) => [owner, paddedCell(terminal, owner, width)]));
  return (index) => {
    const owner = owners[index];
    return owner === undefined ? nobody : (cells.get(owner) ?? nobody);
  };
}

function paddedCell(terminal: Pick<Terminal, "style">, owner: Owner, width: number): string {
  return ` ${styledOwner(terminal, owner)}${" ".repeat(width - cellWidth(shownLabel(owner)))}`;
}
