/** The two channels of an answer. */
export interface Texts {
  readonly content: string;
  readonly reasoning: string;
}

interface ThoughtMarks {
  readonly open: string;
  readonly close: string;
}

// Qwen, DeepSeek, GLM; Magistral; Seed; Kimi-VL.
const marks: readonly ThoughtMarks[] = [
  { open: "<think>", close: "</think>" },
  { open: "<thinking>", close: "</thinking>" },
  { open: "[THINK]", close: "[/THINK]" },
  { open: "<seed:think>", close: "</seed:think>" },
  { open: "◁think▷", close: "◁/think▷" },
];

/**
 * Thoughts that a server left in the text go where they belong; they are not the answer. Only at the start: a text that speaks about
 * `<think>` later on stays as it is. A block that is never closed is a thought to its end.
 */
export function splitThoughts({ content, reasoning }: Texts): Texts {
  const harmony = splitHarmony(content);
  if (harmony !== undefined) return { content: harmony.content, reasoning: join(reasoning, harmony.reasoning) };
  for (const { open, close } of marks) {
    const start = content.indexOf(open);
    const end = content.indexOf(close);
    if (start >= 0 && content.slice(0, start).trim() === "") {
      const from = start + open.length;
      const thought = end < 0 ? content.slice(from) : content.slice(from, end);
      const rest = end < 0 ? "" : content.slice(end + close.length);
      return { content: rest.trimStart(), reasoning: join(reasoning, thought) };
    }
    // The template opened the block in the prompt, and the parser missed its end (vllm#51641): what comes before it is the thought.
    // Where the server knew the thoughts, a closing mark in the text is only a left-over when nothing but space stands before it.
    if (end >= 0 && start < 0 && (reasoning === "" || content.slice(0, end).trim() === "")) {
      return {
        content: content.slice(end + close.length).trimStart(),
        reasoning: join(reasoning, content.slice(0, end)),
      };
    }
  }
  return { content, reasoning };
}

/** gpt-oss without a parser: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`; calls stay. */
function splitHarmony(content: string): Texts | undefined {
  if (!/^\s*(?:<\|start\|>assistant\s*)?<\|channel\|>/.test(content)) return undefined;
  let answer = "";
  let thoughts = "";
  for (const part of content.split(/(?=(?:<\|start\|>assistant[^<]{0,120})?<\|channel\|>)/)) {
    const head =
      /^(?:<\|start\|>assistant[^<]{0,120})?<\|channel\|>\s*(\w{1,16})([^<]{0,120})(?:<\|constrain\|>[^<]{0,32})?<\|message\|>/.exec(
        part,
      );
    const body = head === null ? part : part.slice(head[0].length).replace(/<\|(?:end|return)\|>\s*$/, "");
    const isCall = /to=[\w.-]/.test(head?.[0] ?? part);
    if (isCall) answer += part;
    else if (head?.[1] === "analysis") thoughts = join(thoughts, body);
    else if (head !== null) answer += body;
  }
  return { content: answer, reasoning: thoughts };
}

function join(first: string, second: string): string {
  const thought = second.trim();
  return first === "" || thought === "" ? first || thought : `${first}\n${thought}`;
}
