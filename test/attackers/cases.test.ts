import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCasesPage } from "../support/cases-page.ts";

const text = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");

test("every test that the page of attacks names is there", () => {
  const { titles, missing } = readCasesPage("attackers/README.md");
  expect(missing).toEqual([]);
  expect(titles).toBeGreaterThan(60);
});

test("every attacker of the page on security has a section of attacks", () => {
  const attackers = [...text("../../docs/security.md").matchAll(/^\|[^|]+\|[^|]+\| `([a-z-]+)` \|$/gm)].map(
    ([, name]) => name,
  );
  const sections = [...text("README.md").matchAll(/^## .*\(`attackers\/([a-z-]+)\./gm)].map(
    ([, name]) => name,
  );
  expect(attackers.length).toBe(7);
  expect(sections).toEqual(attackers);
});
