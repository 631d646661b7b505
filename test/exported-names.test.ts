import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

/** Names that a module declares itself and exports; re-exports are another module's names. */
function declaredNames(text: string): string[] {
  const declaration =
    /^export (?:declare )?(?:async )?(?:function\*?|const|let|class|abstract class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;
  return [...text.matchAll(declaration)].map(([, name = ""]) => name);
}

test("one exported name is declared in one module: whoever searches for it finds it", () => {
  const places = new Map<string, Set<string>>();
  for (const name of readdirSync("src", { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    for (const exported of declaredNames(readFileSync(join("src", name), "utf8")))
      places.set(exported, (places.get(exported) ?? new Set()).add(name));
  }
  // what takes the place of fault.ts in what ships
  places.get("fault")?.delete("system/no-fault.ts");
  const twice = [...places].filter(([, modules]) => modules.size > 1);
  expect(twice.map(([exported, modules]) => `${exported}: ${[...modules].sort().join(", ")}`)).toEqual([]);
});
