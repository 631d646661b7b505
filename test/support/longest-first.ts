import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, the longest first: one that begins last would keep a
 * single worker busy while the others have nothing left to do.
 */
export const longFiles: readonly string[] = [
  "sandbox/lifecycle/branch.vm",
  "agents/conformance/opencode.e2e",
  "agents/conformance/cline.e2e",
  "sandbox/remote.vm",
  "workflows/ci.e2e",
  "agents/conformance/qwen.e2e",
  "agents/conformance/copilot.e2e",
  "checkpoints/fetched-objects.e2e",
  "agents/conformance/droid.e2e",
  "sandbox/dead-machine.vm",
  "agents/conformance/claude.e2e",
  "bench/benches.e2e",
  "checkpoints/links.e2e",
  "server/serve.vm",
  "web/page.e2e",
  "agents/conformance/codex.e2e",
  "attackers/guest.vm",
  "agents/conformance/pi.e2e",
  "checkpoints/sync-crash.e2e",
  "sandbox/guest.vm",
  "race/real-agents.e2e",
  "blocks/images/crash.e2e",
  "blocks/stores/s3/s3-store.e2e",
  "sandbox/robustness.vm",
  "checkpoints/soak.e2e",
  "checkpoints/capture-crash.e2e",
  "checkpoints/clean.e2e",
  "sandbox/network.vm",
  "authorship/carry.e2e",
  "cli/doctor.e2e",
  "checkpoints/resume.e2e",
  "sandbox/lifecycle/pool.vm",
  "race/race.e2e",
  "bin/hook.e2e",
  "checkpoints/real-data.e2e",
  "bench/benches.vm",
  "cli/enable.e2e",
  "timeline/agents.e2e",
  "sandbox/images.vm",
  "sandbox/warm-start.vm",
];

/** Long files first; the others as vitest orders them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = longFiles.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return place === -1 ? longFiles.length : place;
    };
    return sorted.toSorted((left, right) => placeOf(left) - placeOf(right));
  }
}
