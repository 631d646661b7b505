import { expect, test } from "vitest";
import { readCasesPage } from "../support/cases-page.ts";

test("every test that the page of cases names is there", () => {
  const { titles, missing } = readCasesPage("authorship/README.md");
  expect(titles).toBeGreaterThan(80);
  expect(missing).toEqual([]);
});
