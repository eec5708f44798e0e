import type { MemoryNote } from "../../../gen/agentd/v1/memory_note_pb.ts";
import { ageOf } from "../quantity.ts";
import { visible } from "../visible.ts";
import { formatFields, formatTable, nameCell, type TableView } from "./table.ts";

const textCharactersMax = 80;

/** Notes as `agentctl get memory` shows them; `-o wide` does not cut their text. */
export function memoryTable(notes: readonly MemoryNote[], view: TableView): string {
  const { nowMs, isWide, hasNamespace } = view;
  const header = [...(hasNamespace ? ["NAMESPACE"] : []), "NAME", "REPOSITORY", "TASK", "AGE", "TEXT"];
  const rows = notes.map(({ metadata, spec }) => {
    const text = spec?.text ?? "";
    const isCut = !isWide && text.length > textCharactersMax;
    return [
      ...(hasNamespace ? [metadata?.namespace ?? ""] : []),
      nameCell(view, metadata?.name ?? ""),
      isWide ? spec?.url || `upload ${spec?.repository ?? ""}` : shortRepository(spec?.url ?? ""),
      spec?.task ?? "",
      ageOf(metadata?.createTime, nowMs),
      isCut ? `${text.slice(0, textCharactersMax - 1)}…` : text,
    ];
  });
  return formatTable(header, rows, view.decorate, view.widths);
}

/** One note as `agentctl describe memory` shows it. */
export function describeMemory({ metadata, spec }: MemoryNote, nowMs: number): string {
  return formatFields([
    ["Name", metadata?.name ?? ""],
    ["Repository", visible(spec?.url || `uploaded, known as ${spec?.repository ?? ""}`)],
    ["Task", spec?.task],
    ["Age", ageOf(metadata?.createTime, nowMs)],
    ["Text", visible(spec?.text ?? "")],
    ["Next", `agentctl delete memory/${metadata?.name ?? ""}, if it is wrong: agents that start later do not see it`],
  ]);
}

/** `web` of https://example.com/team/web.git. An uploaded repository has no name of its own. */
function shortRepository(url: string): string {
  return /([^/:]+?)(?:\.git)?\/*$/.exec(url)?.[1] ?? "(uploaded)";
}
