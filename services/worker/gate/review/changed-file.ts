/** A file that a result changes, with the lines that differ. */
export interface ChangedFile {
  readonly path: string;
  readonly kind: "added" | "changed" | "deleted";
  /** Objects of a regular file that is on both sides; absent for any other. */
  readonly blobs?: { readonly before: string; readonly after: string };
  /** Without their line ends; none for a binary file. */
  readonly addedLines: readonly string[];
  readonly removedLines: readonly string[];
}

/** Lines longer than this are machine-made; nobody wrote a conflict marker or a secret there by hand. */
const lineCharsMax = 2_000;

/**
 * Reads a unified diff as git prints it with `--no-renames`, `--full-index`, `-U0` and quoted paths. What comes after a cut end is not seen.
 * The diff's content is hostile: a line counts by its place, not by what it looks like.
 */
export function readDiff(diff: string): readonly ChangedFile[] {
  const files: Draft[] = [];
  let left = { added: 0, removed: 0 };
  for (const line of diff.split("\n")) {
    const file = files.at(-1);
    if (left.added + left.removed > 0 && file !== undefined) {
      left = takeLine(file, line, left);
    } else if (line.startsWith("diff --git ")) {
      files.push({ path: "", kind: "changed", addedLines: [], removedLines: [] });
    } else if (file !== undefined) {
      left = readHeader(file, line);
    }
  }
  return files.filter((file) => file.path !== "");
}

interface Draft {
  path: string;
  kind: ChangedFile["kind"];
  blobs?: NonNullable<ChangedFile["blobs"]>;
  readonly addedLines: string[];
  readonly removedLines: string[];
}

type Left = { readonly added: number; readonly removed: number };
const none: Left = { added: 0, removed: 0 };

function takeLine(file: Draft, line: string, left: Left): Left {
  const text = line.slice(1, 1 + lineCharsMax);
  if (line.startsWith("+")) {
    file.addedLines.push(text);
    return { ...left, added: left.added - 1 };
  }
  if (line.startsWith("-")) {
    file.removedLines.push(text);
    return { ...left, removed: left.removed - 1 };
  }
  // "\ No newline at end of file" counts for nothing; anything else would be a diff that git does not print.
  return line.startsWith("\\") ? left : none;
}

function readHeader(file: Draft, line: string): Left {
  if (line.startsWith("new file mode ")) file.kind = "added";
  if (line.startsWith("deleted file mode ")) file.kind = "deleted";
  const path = /^(?:\+\+\+|---) (.+?)\t?$/u.exec(line)?.[1];
  if (path !== undefined && path !== "/dev/null") file.path = unquote(path).replace(/^[ab]\//u, "");
  const index = /^index ([0-9a-f]{40})\.\.([0-9a-f]{40}) 100(?:644|755)$/u.exec(line);
  if (index !== null) file.blobs = { before: index[1] ?? "", after: index[2] ?? "" };
  const binary = /^Binary files (.+) and (.+) differ$/u.exec(line);
  if (binary !== null) {
    const named = binary[2] === "/dev/null" ? binary[1] : binary[2];
    file.path = unquote(named ?? "").replace(/^[ab]\//u, "");
  }
  const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/u.exec(line);
  return hunk === null ? none : { removed: Number(hunk[1] ?? 1), added: Number(hunk[2] ?? 1) };
}

/** Git quotes odd names as C strings, with the bytes of their UTF-8 in octal. */
function unquote(path: string): string {
  if (!path.startsWith('"')) return path;
  const bytes: number[] = [];
  const plain = path.slice(1, -1);
  const letters: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
  for (const [part] of plain.matchAll(/\\[0-7]{3}|\\.|[^\\]+/gsu)) {
    if (!part.startsWith("\\")) bytes.push(...Buffer.from(part));
    else if (part.length === 4) bytes.push(Number.parseInt(part.slice(1), 8));
    else bytes.push(letters[part.slice(1)] ?? part.charCodeAt(1));
  }
  return Buffer.from(bytes).toString("utf8");
}
