export { homedir } from "node:os";
