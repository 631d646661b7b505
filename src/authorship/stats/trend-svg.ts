import type { StatsTrend, WeekCounts } from "./trend.ts";

const classes = [
  { name: "agents", label: "agents", colour: "#a855f7" },
  { name: "humans", label: "known humans", colour: "#22c55e" },
  { name: "unknown", label: "unknown", colour: "#9ca3af" },
] as const;

const frame = { width: 720, height: 260, left: 60, right: 16, top: 36, bottom: 36 };

/** Added lines of each week as stacked bars, and a line for what of the agents' lines is still there. */
export function trendSvg({ weeks }: StatsTrend): string {
  const most = Math.max(1, ...weeks.map(({ added }) => added));
  const inner = {
    width: frame.width - frame.left - frame.right,
    height: frame.height - frame.top - frame.bottom,
  };
  const step = inner.width / Math.max(1, weeks.length);
  const yOf = (lines: number) => frame.top + inner.height * (1 - lines / most);
  const xOf = (index: number) => frame.left + step * index;
  const bars = weeks.flatMap((week, index) => stack(week, { x: xOf(index), width: step, yOf }));
  const kept = weeks.map(({ accepted }, index) => `${round(xOf(index) + step / 2)},${round(yOf(accepted))}`);
  const names = [weeks[0], weeks.length > 1 ? weeks.at(-1) : undefined];
  const labels = names.flatMap((week, index) =>
    week === undefined
      ? []
      : [
          `<text x="${index === 0 ? frame.left : frame.width - frame.right}" y="${frame.height - 12}" text-anchor="${index === 0 ? "start" : "end"}">${week.week}</text>`,
        ],
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${frame.width} ${frame.height}" font-family="system-ui, sans-serif" font-size="12" fill="#6b7280" role="img" aria-label="Added lines by week and owner">`,
    ...legend(),
    `<text x="${frame.left - 8}" y="${frame.top + 4}" text-anchor="end">${most}</text>`,
    `<text x="${frame.left - 8}" y="${frame.height - frame.bottom}" text-anchor="end">0</text>`,
    ...bars,
    `<polyline points="${kept.join(" ")}" fill="none" stroke="#581c87" stroke-width="2"/>`,
    ...labels,
    "</svg>",
  ].join("\n");
}

/** `agents 62%` as a picture for a page: of the added lines. */
export function badgeSvg({ total }: StatsTrend): string {
  const share = total.added === 0 ? "no lines" : `${Math.round((100 * total.agents) / total.added)}%`;
  const [left, right] = [92, 58];
  const text = (x: number, words: string) => `<text x="${x}" y="14" text-anchor="middle">${words}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" font-family="Verdana, sans-serif" font-size="11" fill="#fff" role="img" aria-label="lines by agents: ${share}">`,
    `<rect width="${left}" height="20" fill="#4b5563"/><rect x="${left}" width="${right}" height="20" fill="#7e22ce"/>`,
    text(left / 2, "lines by agents"),
    text(left + right / 2, share),
    "</svg>",
  ].join("\n");
}

function stack(
  week: WeekCounts,
  { x, width, yOf }: { readonly x: number; readonly width: number; readonly yOf: (lines: number) => number },
): string[] {
  let below = 0;
  return classes.flatMap(({ name, colour }) => {
    const lines = week[name];
    const from = below;
    below += lines;
    if (lines === 0) return [];
    const height = yOf(from) - yOf(below);
    return [
      `<rect x="${round(x + width * 0.1)}" y="${round(yOf(below))}" width="${round(width * 0.8)}" height="${round(height)}" fill="${colour}"><title>${week.week}: ${lines} ${name}</title></rect>`,
    ];
  });
}

function legend(): string[] {
  const entries = [...classes, { label: "agents' still there", colour: "#581c87" }];
  return entries.map(
    ({ label, colour }, index) =>
      `<rect x="${frame.left + index * 140}" y="10" width="10" height="10" fill="${colour}"/><text x="${frame.left + index * 140 + 15}" y="19">${label}</text>`,
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
