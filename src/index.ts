/** The library: what the command line is built on. */
export { type ErrorCode, errorCodes } from "./base/error-codes.ts";
export { isKeyframeError, KeyframeError } from "./base/errors.ts";
export { keyframeVersion } from "./base/version.ts";
