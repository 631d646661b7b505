import { loadBenches } from "../../bench/run.ts";
import { testBenches } from "../support/bench-tests.ts";

testBenches(await loadBenches("sandbox/"));
