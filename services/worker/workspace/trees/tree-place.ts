import { createHash } from "node:crypto";
import type { Repository } from "../../../platform/git/bare-repository.ts";
import type { FewFiles } from "../../../platform/git/in-process/apply-few.ts";

/** A commit and where its objects are. */
export interface TreePlace {
  readonly repository: Repository;
  readonly commit: string;
  /** All that it changes of its base, where that is little and known. */
  readonly few?: FewFiles;
  /** Never an overlay: what is made in such a tree is moved out of it, and out of an overlay nothing can be renamed. */
  readonly isCheckout?: true;
}

/** A file name for the place: the same commit in another repository has other trees, for theirs name its objects. */
export function placeName({ repository, commit }: TreePlace): string {
  return createHash("sha256").update(`${repository.gitDir}\0${commit}`).digest("hex");
}
