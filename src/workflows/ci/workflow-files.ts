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

/** The pipelines that settle what arrives on a branch and report on changes; the first is the one that settles. Pure. */
export function workflowFiles(
  forge: Forge,
  options: WorkflowOptions,
): readonly [WorkflowFile, ...WorkflowFile[]] {
  if (forge === "gitlab") return [{ path: ".gitlab/keyframe.yml", text: gitlabJob(options) }];
  return [
    { path: ".github/workflows/keyframe.yml", text: githubWorkflow(options) },
    { path: ".github/workflows/keyframe-report.yml", text: githubReport(options) },
  ];
}

/** What GitLab's own file needs, so that ours is read. */
export const gitlabInclude = "include:\n  - local: .gitlab/keyframe.yml\n";

/*
 * Of its own, so that nothing that runs for a pull request has the rights of the other: the report may write its comment
 * and nothing else; from a fork, not even that.
 */
function githubReport({ branch, version }: WorkflowOptions): string {
  return `${workflowMark}
name: Keyframe report
on:
  pull_request:
    branches: [${JSON.stringify(branch)}]
permissions:
  contents: read
  pull-requests: write
concurrency:
  group: keyframe-report-\${{ github.event.pull_request.number }}
  cancel-in-progress: true
jobs:
  report:
${githubSteps(`npx --yes keyframe-cli@${version} report --ci`)}`;
}

/*
 * Only on a push to the branch: a pull request from a fork has no right to write, and its code must not get one. Full
 * history, because owners are carried from the commits of the pull request. One run after the other, none cut off.
 */
function githubWorkflow({ branch, version }: WorkflowOptions): string {
  return `${workflowMark}
name: Keyframe
on:
  push:
    branches: [${JSON.stringify(branch)}]
permissions:
  contents: write
  pull-requests: read
concurrency:
  group: keyframe-notes
  cancel-in-progress: false
jobs:
  owners:
${githubSteps(`npx --yes keyframe-cli@${version} ci`)}`;
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

/** Full history, because owners are read and carried from commits of any age. */
function githubSteps(command: string): string {
  return `    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - run: ${command}
        env:
          GITHUB_TOKEN: \${{ github.token }}
`;
}
