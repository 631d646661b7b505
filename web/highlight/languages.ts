import type { LanguageRegistration } from "@shikijs/core";

interface LanguageModule {
  readonly default: LanguageRegistration[];
}

/** Grammars by name, each a file of its own that is loaded when the first file of its kind is shown. */
export const grammars = {
  c: () => import("@shikijs/langs/c"),
  cpp: () => import("@shikijs/langs/cpp"),
  csharp: () => import("@shikijs/langs/csharp"),
  css: () => import("@shikijs/langs/css"),
  dart: () => import("@shikijs/langs/dart"),
  docker: () => import("@shikijs/langs/docker"),
  elixir: () => import("@shikijs/langs/elixir"),
  go: () => import("@shikijs/langs/go"),
  graphql: () => import("@shikijs/langs/graphql"),
  html: () => import("@shikijs/langs/html"),
  ini: () => import("@shikijs/langs/ini"),
  java: () => import("@shikijs/langs/java"),
  javascript: () => import("@shikijs/langs/javascript"),
  json: () => import("@shikijs/langs/jsonc"),
  kotlin: () => import("@shikijs/langs/kotlin"),
  lua: () => import("@shikijs/langs/lua"),
  make: () => import("@shikijs/langs/make"),
  markdown: () => import("@shikijs/langs/markdown"),
  nix: () => import("@shikijs/langs/nix"),
  php: () => import("@shikijs/langs/php"),
  powershell: () => import("@shikijs/langs/powershell"),
  proto: () => import("@shikijs/langs/proto"),
  python: () => import("@shikijs/langs/python"),
  ruby: () => import("@shikijs/langs/ruby"),
  rust: () => import("@shikijs/langs/rust"),
  scala: () => import("@shikijs/langs/scala"),
  scss: () => import("@shikijs/langs/scss"),
  shellscript: () => import("@shikijs/langs/shellscript"),
  sql: () => import("@shikijs/langs/sql"),
  swift: () => import("@shikijs/langs/swift"),
  terraform: () => import("@shikijs/langs/terraform"),
  toml: () => import("@shikijs/langs/toml"),
  tsx: () => import("@shikijs/langs/tsx"),
  typescript: () => import("@shikijs/langs/typescript"),
  vue: () => import("@shikijs/langs/vue"),
  xml: () => import("@shikijs/langs/xml"),
  yaml: () => import("@shikijs/langs/yaml"),
  zig: () => import("@shikijs/langs/zig"),
} satisfies Readonly<Record<string, () => Promise<LanguageModule>>>;

export type LanguageName = keyof typeof grammars;

/** Endings of file names, and whole names, by grammar. */
const endings: Readonly<Record<LanguageName, string>> = {
  c: "c h",
  cpp: "cc cpp cxx hpp hh",
  csharp: "cs",
  css: "css",
  dart: "dart",
  docker: "dockerfile containerfile",
  elixir: "ex exs",
  go: "go",
  graphql: "graphql gql",
  html: "html htm",
  ini: "ini cfg conf properties editorconfig gitconfig",
  java: "java",
  javascript: "js mjs cjs",
  json: "json jsonc json5",
  kotlin: "kt kts",
  lua: "lua",
  make: "makefile mk",
  markdown: "md markdown",
  nix: "nix",
  php: "php",
  powershell: "ps1 psm1",
  proto: "proto",
  python: "py pyi",
  ruby: "rb rake gemfile rakefile",
  rust: "rs",
  scala: "scala sbt",
  scss: "scss",
  shellscript: "sh bash zsh bashrc profile",
  sql: "sql",
  swift: "swift",
  terraform: "tf tfvars",
  toml: "toml",
  tsx: "tsx jsx",
  typescript: "ts mts cts",
  vue: "vue",
  xml: "xml svg plist xsd",
  yaml: "yml yaml",
  zig: "zig",
};

const names = new Map(
  Object.entries(endings).flatMap(([name, words]) =>
    words.split(" ").map((ending) => [ending, name as LanguageName] as const),
  ),
);

/** The grammar for a file, by its name. */
export function languageOf(path: string): LanguageName | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  return names.get(name.slice(name.lastIndexOf(".") + 1));
}
