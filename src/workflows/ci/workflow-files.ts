import type { Forge } from "./pipeline.ts";

/** First line of the files that we write: one without it is somebody else's. */
export const workflowMark = "# Written by `keyframe ci install`; run it again after an update of Keyframe.";

export interface WorkflowFile {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
}

export interface WorkflowOptions {
  readonly branch: string;
  /** Of the package that the pipeline runs. */
  readonly version: string;
}

/** The pipeline that settles what arrives on a branch. Pure. */
export function workflowFile(forge: Forge, options: WorkflowOptions): WorkflowFile {
  return forge === "github"
    ? { path: ".github/workflows/keyframe.yml", text: githubWorkflow(options) }
    : { path: ".gitlab/keyframe.yml", text: gitlabJob(options) };
}

/** What GitLab's own file needs, so that ours is read. */
export const gitlabInclude = "include:\n  - local: .gitlab/keyframe.yml\n";

/*
 * Notes are written only on a push to the branch: a pull request from a fork has no right to write, and its code must not get one. Full
 * history, because owners are carried from the commits of the pull request. One run after the other, none cut off. The
 * report of a pull request may write its comment and nothing else; from a fork, not even that.
 */
function githubWorkflow({ branch, version }: WorkflowOptions): string {
  return `${workflowMark}
name: Keyframe
on:
  push:
    branches: [${JSON.stringify(branch)}]
  pull_request:
    branches: [${JSON.stringify(branch)}]
permissions:
  contents: read
jobs:
  owners:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    permissions:
      contents: write
      pull-requests: read
    concurrency:
      group: keyframe-notes
      cancel-in-progress: false
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - run: npx --yes keyframe-cli@${version} ci
        env:
          GITHUB_TOKEN: \${{ github.token }}
  report:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    permissions:
      contents: read
      pull-requests: write
    concurrency:
      group: keyframe-report-\${{ github.event.pull_request.number }}
      cancel-in-progress: true
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - run: npx --yes keyframe-cli@${version} report --ci
        env:
          GITHUB_TOKEN: \${{ github.token }}
`;
}

function gitlabJob({ branch, version }: WorkflowOptions): string {
  return `${workflowMark}
# KEYFRAME_TOKEN: a project access token with read_api and write_repository, as a masked and protected variable.
keyframe:
  image: node:22
  rules:
    - if: $CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == ${JSON.stringify(branch)}
  resource_group: keyframe-notes
  variables:
    GIT_DEPTH: "0"
  script:
    - git remote set-url --push origin "https://oauth2:\${KEYFRAME_TOKEN}@\${CI_SERVER_HOST}/\${CI_PROJECT_PATH}.git"
    - npx --yes keyframe-cli@${version} ci
keyframe-report:
  image: node:22
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  variables:
    GIT_DEPTH: "0"
  script:
    - npx --yes keyframe-cli@${version} report --ci
`;
}
