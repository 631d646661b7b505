import { readFileSync } from "node:fs";
import { parseSync } from "@swc/core";

/** One small change of a source file; offsets are bytes. */
export interface Mutant {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly line: number;
  /** What it changes, as `before -> after`. */
  readonly change: string;
}

const otherOperators: Readonly<Record<string, string>> = {
  "===": "!==",
  "!==": "===",
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "+": "-",
  "-": "+",
  "*": "+",
  "%": "+",
  "&&": "||",
  "||": "&&",
  "??": "&&",
  "&": "|",
  "|": "&",
};

interface Span {
  readonly start: number;
  readonly end: number;
}

type SyntaxNode = { readonly type: string; readonly span: Span } & Readonly<Record<string, unknown>>;

/** Every mutant of a file: operators, conditions, numbers and booleans changed, calls whose result is unused left out. */
export function mutantsOf(file: string): Mutant[] {
  const source = readFileSync(file);
  // offsets count from the first token and go on from one parse to the next: a first token of ours tells where they begin
  const prefix = "0;";
  const program = parseSync(prefix + source.toString("utf8"), { syntax: "typescript", target: "es2022" });
  const base = program.span.start + prefix.length;
  const mutants: Mutant[] = [];

  function add(from: number, to: number, replacement: string): void {
    const [start, end] = [from - base, to - base];
    if (start < 0) return;
    const before = source.subarray(start, end).toString("utf8");
    const line = source.subarray(0, start).toString("utf8").split("\n").length;
    const change = `${before} -> ${replacement === "" ? "nothing" : replacement}`.replaceAll(/\s+/g, " ");
    mutants.push({ file, start, end, replacement, line, change });
  }

  function mutate(node: SyntaxNode): void {
    switch (node.type) {
      case "BinaryExpression": {
        const [from, to] = [spanOf(node["left"]).end, spanOf(node["right"]).start];
        const between = source.subarray(from - base, to - base).toString("utf8");
        const operator = String(node["operator"]);
        const other = otherOperators[operator];
        const at = between.indexOf(operator);
        if (other !== undefined && at >= 0) add(from + at, from + at + operator.length, other);
        break;
      }
      case "IfStatement":
      case "ConditionalExpression": {
        const { start, end } = spanOf(node["test"]);
        add(start, end, `!(${source.subarray(start - base, end - base).toString("utf8")})`);
        break;
      }
      case "BooleanLiteral":
        add(node.span.start, node.span.end, String(node["value"] !== true));
        break;
      case "NumericLiteral":
        add(node.span.start, node.span.end, String(Number(node["value"]) + 1));
        break;
      case "ExpressionStatement":
        if ((node["expression"] as SyntaxNode).type === "CallExpression")
          add(node.span.start, node.span.end, ";");
        break;
    }
  }

  walk(program as unknown as SyntaxNode, mutate);
  return mutants;
}

const spanOf = (node: unknown): Span => (node as SyntaxNode).span;

/** Types have no behaviour; what wraps a value in one does. */
const wrappers: ReadonlySet<string> = new Set([
  "TsAsExpression",
  "TsSatisfiesExpression",
  "TsNonNullExpression",
]);

function walk(value: unknown, visit: (node: SyntaxNode) => void): void {
  if (Array.isArray(value)) {
    for (const each of value) walk(each, visit);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const node = value as SyntaxNode;
  if (typeof node.type === "string") {
    if (node.type.startsWith("Ts") && !wrappers.has(node.type)) return;
    if (node.span !== undefined) visit(node);
  }
  for (const [key, child] of Object.entries(node)) if (key !== "span") walk(child, visit);
}
