/** Length of the common beginning of two texts, at most `max`; never ends within a surrogate pair. */
export function commonFront(a: string, b: string, max: number): number {
  let length = 0;
  while (length < max && a[length] === b[length]) length += 1;
  return length > 0 && isHighSurrogate(a.charCodeAt(length - 1)) ? length - 1 : length;
}

/** Length of the common end of two texts, at most `max`; never begins within a surrogate pair. */
export function commonBack(a: string, b: string, max: number): number {
  let length = 0;
  while (length < max && a[a.length - 1 - length] === b[b.length - 1 - length]) length += 1;
  return length > 0 && isLowSurrogate(a.charCodeAt(a.length - length)) ? length - 1 : length;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
