import { type ManifestJob, parseManifest } from "../../core/job/manifest/manifest.ts";
import { type LineProblem, ProblemsError } from "../output/problem-report.ts";
import type { Session } from "../session.ts";
import { type ManifestDocument, readManifest } from "./manifest-file.ts";

/** A job of a file, with the way back to its lines. */
export interface FileJob {
  readonly job: ManifestJob;
  readonly namespace: string;
  readonly document: ManifestDocument;
}

/** The jobs of a file. */
export interface FileJobs {
  /** As errors name it. */
  readonly name: string;
  readonly manifests: readonly FileJob[];
}

/** Reads every job of a file, or of standard input for `-`. @throws ProblemsError naming all that is wrong at once */
export async function readManifestJobs(session: Session, path: string): Promise<FileJobs> {
  const file = await readManifest(path, session.stdin);
  const manifests: FileJob[] = [];
  const problems: LineProblem[] = file.problems.map((problem) => ({ ...problem, field: "" }));
  for (const document of file.documents) {
    const parsed = parseManifest(document.value);
    problems.push(...parsed.problems.map((problem) => ({ ...problem, line: document.lineOf(problem.field) })));
    if (parsed.job === undefined) continue;
    // The file's own namespace wins over -n, unless it is the default one.
    const namespace = parsed.job.namespace === "default" ? session.namespace : parsed.job.namespace;
    manifests.push({ job: parsed.job, namespace, document });
  }
  if (problems.length > 0) throw new ProblemsError(file.name, problems);
  return { name: file.name, manifests };
}
