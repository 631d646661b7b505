import type { Reporter, TestModule, Vitest } from "vitest/node";
import { machinesProblem } from "./machines.ts";

/**
 * Prints the plain closing line `N passed, N failed[, N skipped]` that a build server can read; before it, why the
 * tests with virtual machines were left out, if they were.
 */
export default class ClosingLineReporter implements Reporter {
  #wantsMachines = false;

  onInit(vitest: Vitest): void {
    this.#wantsMachines = vitest.projects.some((project) => project.name === "vm");
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      if (module.errors().length > 0) count.failed += 1;
    }
    const problem = this.#wantsMachines ? machinesProblem() : undefined;
    if (problem !== undefined) {
      process.stdout.write(`\nSKIPPED: the tests with virtual machines (test/**/*.vm.test.ts): ${problem}\n`);
    }
    const skipped = count.skipped + count.pending;
    process.stdout.write(
      `\n${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`,
    );
  }
}
