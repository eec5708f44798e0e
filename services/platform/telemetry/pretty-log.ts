/** Lines of pino for people: `12:00:01.250 WARN  worker  message  key=value`. One line in, one line out. */
export function prettyLine(line: string, options: { readonly color: boolean }): string {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return line;
  }
  const { level, time, service, msg, err, ...rest } = entry;
  const [name, color] = levels.find(([, , at]) => Number(level) >= at) ?? ["TRACE", dim, 0];
  const paint = (text: string, code: string): string => (options.color ? `${code}${text}${reset}` : text);
  const clock = /T(\S+)Z$/.exec(textOf(time))?.[1] ?? textOf(time);
  const details = [...Object.entries(rest), ...errorDetails(err)].map(
    ([key, value]) => `${paint(`${key}=`, dim)}${typeof value === "string" ? visible(value) : JSON.stringify(value)}`,
  );
  const head = [paint(clock, dim), paint(name.padEnd(5), color), textOf(service), visible(textOf(msg))];
  return `${[...head, ...details].join("  ")}\n`;
}

const reset = "\u001b[0m";
const dim = "\u001b[2m";
const red = "\u001b[31m";
const yellow = "\u001b[33m";
const green = "\u001b[32m";
const levels: readonly (readonly [name: string, color: string, from: number])[] = [
  ["FATAL", red, 60],
  ["ERROR", red, 50],
  ["WARN", yellow, 40],
  ["INFO", green, 30],
  ["DEBUG", dim, 20],
];

function errorDetails(err: unknown): readonly [string, unknown][] {
  if (typeof err !== "object" || err === null) return [];
  const { type, message } = err as Readonly<Record<string, unknown>>;
  return [["err", `${textOf(type) || "Error"}: ${textOf(message)}`]];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A log cannot move the cursor or set a title. */
function visible(text: string): string {
  return text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
