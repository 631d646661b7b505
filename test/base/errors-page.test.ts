import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderErrorsPage } from "../support/errors-page.ts";

test("docs/errors.md says what the tables in the code say (UPDATE_DOCS=1 writes it)", () => {
  if (process.env["UPDATE_DOCS"]) writeFileSync("docs/errors.md", renderErrorsPage());
  expect(readFileSync("docs/errors.md", "utf8")).toBe(renderErrorsPage());
});
