/** `1 task`, `2 tasks`, `0 tasks`; `many` where an s does not make the plural. */
export function countText(count: number | bigint, one: string, many = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : many}`;
}
