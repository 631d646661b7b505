import { keyframeVersion } from "../../base/version.ts";
import { createRegistry, type Histogram, type Registry } from "./metrics.ts";

/** What `/metrics` shows. Times are seconds, as Prometheus wants them. */
export interface ServerMetrics {
  readonly registry: Registry;
  readonly requestSeconds: Histogram;
  /** How long guests stood still. */
  readonly pauseSeconds: Histogram;
  /** From the request for a machine to its guest's acknowledgement. */
  readonly readySeconds: Histogram;
  readonly execSeconds: Histogram;
  countError(code: string): void;
}

const pauseBounds = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5];
const workBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createServerMetrics(): ServerMetrics {
  const registry = createRegistry();
  const errors = registry.counter("keyframe_errors_total", "Requests that failed, by error code.");
  registry.gauge("keyframe_build_info", "The version that runs.", () => [[{ version: keyframeVersion }, 1]]);
  return {
    registry,
    requestSeconds: registry.histogram(
      "keyframe_http_request_duration_seconds",
      "From the request's head to the end of its answer.",
      workBounds,
    ),
    pauseSeconds: registry.histogram(
      "keyframe_branch_pause_seconds",
      "How long a guest stood still for a snapshot.",
      pauseBounds,
    ),
    readySeconds: registry.histogram(
      "keyframe_start_ready_seconds",
      "From the request for a machine to its guest's first answer.",
      workBounds,
    ),
    execSeconds: registry.histogram(
      "keyframe_exec_duration_seconds",
      "How long commands in guests ran.",
      workBounds,
    ),
    countError: (code) => errors.add({ code }),
  };
}
