// The text format of Prometheus, version 0.0.4.

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(labels: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Registry {
  counter(name: string, help: string): Counter;
  /** `bounds` are the upper ends of the buckets, ascending. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** Asked for its values at each reading. */
  gauge(name: string, help: string, read: () => readonly (readonly [Labels, number])[]): void;
  text(): string;
}

/** Different label sets of one metric; what comes after them is counted under none. */
const maxSeries = 500;

export function createRegistry(): Registry {
  const parts: (() => string[])[] = [];

  return {
    counter(name, help) {
      const counts = new Map<string, number>();
      parts.push(() => [
        ...head(name, help, "counter"),
        ...[...counts].map(([labels, count]) => `${name}${braces(labels)} ${count}`),
      ]);
      return {
        add(labels) {
          const key = seriesOf(counts, encodeLabels(labels));
          counts.set(key, (counts.get(key) ?? 0) + 1);
        },
      };
    },
    histogram(name, help, bounds) {
      const series = new Map<string, { readonly buckets: number[]; sum: number; count: number }>();
      parts.push(() => [
        ...head(name, help, "histogram"),
        ...[...series].flatMap(([labels, { buckets, sum, count }]) => [
          ...bounds.map((bound, index) => {
            return `${name}_bucket${braces(joined(labels, `le="${bound}"`))} ${buckets[index] ?? 0}`;
          }),
          `${name}_bucket${braces(joined(labels, 'le="+Inf"'))} ${count}`,
          `${name}_sum${braces(labels)} ${sum}`,
          `${name}_count${braces(labels)} ${count}`,
        ]),
      ]);
      return {
        observe(value, labels = {}) {
          const key = seriesOf(series, encodeLabels(labels));
          const one = series.get(key) ?? { buckets: bounds.map(() => 0), sum: 0, count: 0 };
          for (const [index, bound] of bounds.entries()) {
            if (value <= bound) one.buckets[index] = (one.buckets[index] ?? 0) + 1;
          }
          one.sum += value;
          one.count += 1;
          series.set(key, one);
        },
      };
    },
    gauge(name, help, read) {
      parts.push(() => [
        ...head(name, help, "gauge"),
        ...read().map(([labels, value]) => `${name}${braces(encodeLabels(labels))} ${value}`),
      ]);
    },
    text: () => `${parts.flatMap((part) => part()).join("\n")}\n`,
  };
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function seriesOf(all: ReadonlyMap<string, unknown>, key: string): string {
  return all.has(key) || all.size < maxSeries ? key : "";
}

function encodeLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => {
      const text = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
      return `${name}="${text}"`;
    })
    .join(",");
}

function joined(labels: string, more: string): string {
  return labels === "" ? more : `${labels},${more}`;
}

function braces(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
