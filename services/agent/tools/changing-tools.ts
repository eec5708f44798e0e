/** Tools whose success is a change of files in the tree; what bash changed is not known here. */
export const changingTools: ReadonlySet<string> = new Set(["write", "edit", "multi_edit", "apply_patch"]);
