/** Calls back with the index of each word and where it begins, in the order in which they begin or in which they end. */
export type WordScan = (bytes: Uint8Array, onWord: (word: number, start: number) => void) => void;

/**
 * Finds all words in one pass with one look at a table a byte, however many words there are (Aho and Corasick, "Efficient
 * string matching", 1975). Making the table takes as long as a megabyte.
 */
export function createTableScan(words: readonly string[]): WordScan {
  const { classes, classCount, table, firstEnd, ends } = buildTable(words);
  const lengths = words.map((word) => word.length);
  return (bytes, onWord) => {
    const stops = new Int32Array(2 * stopsAtOnce);
    const walk: Walk = { at: 0, state: 0, stopped: 0 };
    while (walk.at < bytes.length) {
      collectStops({ bytes, classes, table, firstEnd, stops, walk });
      for (let index = 0; index < walk.stopped; index += 2) {
        const end = stops[index] ?? 0;
        for (const word of ends[((stops[index + 1] ?? 0) - firstEnd) / classCount] ?? []) {
          onWord(word, end - (lengths[word] ?? 0));
        }
      }
    }
  };
}

const stopsAtOnce = 1024;

interface Walk {
  at: number;
  state: number;
  /** Numbers that are in `stops`. */
  stopped: number;
}

interface Step {
  readonly bytes: Uint8Array;
  readonly classes: Uint8Array;
  readonly table: Int32Array;
  readonly firstEnd: number;
  /** Pairs: where words end, and the state there. */
  readonly stops: Int32Array;
  readonly walk: Walk;
}

/** Walks until `stops` is full. The loop calls nothing, so that the compiler keeps the tables at hand. */
function collectStops({ bytes, classes, table, firstEnd, stops, walk }: Step): void {
  const size = bytes.length;
  const room = stops.length;
  let { at, state } = walk;
  let stopped = 0;
  while (at < size && stopped < room) {
    state = table[state + (classes[bytes[at] as number] as number)] as number;
    at += 1;
    if (state < firstEnd) continue;
    stops[stopped] = at;
    stops[stopped + 1] = state;
    stopped += 2;
  }
  walk.at = at;
  walk.state = state;
  walk.stopped = stopped;
}

interface ScanTable {
  /** By byte; bytes that no word holds are class 0. */
  readonly classes: Uint8Array;
  readonly classCount: number;
  /**
   * A state is how much of words has been read last: the longest end of the text that some word begins with. Rows of next
   * states by class; a state is where its row begins, 0 that of nothing.
   */
  readonly table: Int32Array;
  /** States from this one on end words. */
  readonly firstEnd: number;
  /** By row behind the first of those: the words, longest first. */
  readonly ends: readonly (readonly number[])[];
}

function buildTable(words: readonly string[]): ScanTable {
  const { classes, classCount } = classesOf(words);
  const indexOf = new Map(words.map((word, index) => [word, index]));
  const beginnings = [...new Set(words.flatMap(beginningsOf))].sort((a, b) => a.length - b.length);
  const ends = new Map(
    beginnings.map((text) => [text, endsOf(text).flatMap((end) => indexOf.get(end) ?? [])]),
  );
  const isEnd = (text: string) => (ends.get(text) ?? []).length > 0;
  const inOrder = [...beginnings.filter((text) => !isEnd(text)), ...beginnings.filter(isEnd)];
  const states = new Map(inOrder.map((text, row) => [text, row * classCount]));
  return {
    classes,
    classCount,
    table: fillTable(beginnings, states, { classes, classCount }),
    firstEnd: beginnings.filter((text) => !isEnd(text)).length * classCount,
    ends: beginnings.filter(isEnd).map((text) => ends.get(text) ?? []),
  };
}

interface Classes {
  readonly classes: Uint8Array;
  readonly classCount: number;
}

function classesOf(words: readonly string[]): Classes {
  const classes = new Uint8Array(256);
  let classCount = 1;
  for (const byte of Buffer.from(words.join(""), "latin1")) {
    if (classes[byte] === 0) classes[byte] = classCount++;
  }
  return { classes, classCount };
}

/** `beginnings` by length: a row is that of the longest end that is a beginning too, but for what goes on from here. */
function fillTable(
  beginnings: readonly string[],
  states: ReadonlyMap<string, number>,
  { classes, classCount }: Classes,
): Int32Array {
  const table = new Int32Array(beginnings.length * classCount);
  const longer = new Map<string, string[]>(beginnings.map((text) => [text, []]));
  for (const text of beginnings.slice(1)) longer.get(text.slice(0, -1))?.push(text);
  for (const text of beginnings) {
    const state = states.get(text) ?? 0;
    const shorter = endsOf(text.slice(1)).find((end) => states.has(end)) ?? "";
    const from = states.get(shorter) ?? 0;
    table.copyWithin(state, from, from + classCount);
    for (const next of longer.get(text) ?? []) {
      table[state + (classes[next.charCodeAt(text.length)] ?? 0)] = states.get(next) ?? 0;
    }
  }
  return table;
}

/** The empty text, and each further one with one character more. */
function beginningsOf(word: string): string[] {
  return Array.from({ length: word.length + 1 }, (_, length) => word.slice(0, length));
}

/** The text itself, and each further one with one character less. */
function endsOf(text: string): string[] {
  return Array.from({ length: text.length }, (_, from) => text.slice(from));
}
