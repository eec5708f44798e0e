import { posix } from "node:path";

/** Whether a file holds tests, by the names that test runners look for. */
export function isTestFile(path: string): boolean {
  const name = posix.basename(path);
  const folders = posix.dirname(path).split("/");
  if (folders.some((folder) => /^(?:__tests__|__snapshots__|tests?|specs?|e2e|testdata)$/iu.test(folder))) return true;
  return (
    /[._-](?:test|spec|e2e)\.[cm]?[jt]sx?$/iu.test(name) ||
    /^(?:test_.*|.*_test|conftest)\.py$/iu.test(name) ||
    /_test\.(?:go|exs|rb)$/iu.test(name) ||
    /_spec\.rb$/iu.test(name) ||
    /(?:^Test.+|.+(?:Test|Tests|IT|Spec))\.(?:java|kt|cs|scala|swift|php)$/u.test(name) ||
    /^(?:test|tests|spec)\.[cm]?[jt]sx?$/iu.test(name)
  );
}

/** What runs the checks, or decides what they see: changing it changes what a green check means. */
export function isProtectedFile(path: string): boolean {
  const name = posix.basename(path);
  return (
    /^\.(?:github|circleci|buildkite)\//u.test(path) ||
    /^(?:\.gitlab-ci\.ya?ml|\.travis\.yml|azure-pipelines\.ya?ml|Jenkinsfile|\.gitattributes|\.gitmodules|CODEOWNERS)$/u.test(
      name,
    ) ||
    /^(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|go\.sum|poetry\.lock|uv\.lock|Pipfile\.lock|Gemfile\.lock|composer\.lock)$/u.test(
      name,
    ) ||
    /^(?:(?:vitest|jest|playwright|karma|cypress|ava|mocha)\.(?:config|conf)\.[cm]?[jt]s|\.mocharc\.\w+|pytest\.ini|tox\.ini|noxfile\.py)$/u.test(
      name,
    )
  );
}
