// Loaded with `node -r` into a measured process: leaves its peak memory in the file that KEYFRAME_PEAK_FILE names.
process.on("exit", () => {
  require("node:fs").writeFileSync(
    process.env.KEYFRAME_PEAK_FILE,
    String(process.resourceUsage().maxRSS * 1024),
  );
});
