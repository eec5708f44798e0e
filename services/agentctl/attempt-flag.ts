/** The value of `--attempt`. @throws Error when it is no number from 1 */
export function parseAttempt(text: string): number {
  const attempt = Number(text);
  if (!Number.isInteger(attempt) || attempt < 1) throw new Error("write a number from 1.");
  return attempt;
}
