import fc from "fast-check";

// One seed for all property tests, so that a run can be repeated; KEYFRAME_SEED explores others.
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env["KEYFRAME_SEED"] ?? 20_261_121) });
