/** The first few of a list in a message: what others sent may have a million of them. */
export function listSome(items: readonly (string | number)[], maxShown = 5): string {
  const shown = items.slice(0, maxShown).join(", ");
  return items.length > maxShown ? `${shown} and ${items.length - maxShown} more` : shown;
}
