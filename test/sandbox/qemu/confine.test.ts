import { expect, test } from "vitest";
import { planConfinement } from "../../../src/sandbox/qemu/confine.ts";

const shape = { memoryMiB: 512, diskBytes: 4 * 1024 ** 3 };
const status = (capabilities: string) => `Name:\tnode\nCapEff:\t${capabilities}\nNoNewPrivs:\t0\n`;

test("root's capabilities are dropped, where there are any and they can be", () => {
  const words = (capabilities: string) =>
    planConfinement({ shape, platform: "linux", status: status(capabilities) });
  expect(words("000001ffffffffff")).toContain("--bounding-set=-all");
  expect(words("0000000000000100")).toContain("--bounding-set=-all");
  expect(words("0000000000000000")).not.toContain("setpriv");
  expect(words("00000000000000ff")).not.toContain("setpriv");
});

test("address space and files are bounded by the machine's shape, and there is no core file", () => {
  const words = planConfinement({ shape, platform: "linux", status: status("0") });
  expect(words).toEqual(["prlimit", "--core=0", `--as=${9 * 1024 ** 3}`, `--fsize=${4.5 * 1024 ** 3}`]);
  expect(planConfinement({ shape, platform: "darwin", status: "" })).toEqual([]);
});
