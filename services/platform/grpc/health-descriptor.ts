import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescriptorProto, FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { service as healthService } from "grpc-health-check";

/**
 * Descriptor of `grpc.health.v1`, for reflection. The one that grpc-health-check carries was made by protobuf.js, which
 * leaves type names relative and calls map entries wrongly: strict clients (buf, Go) refuse such a file, so both are
 * put right here.
 */
export function healthDescriptor(): Buffer | undefined {
  const [bytes] = healthService["Check"]?.requestType.fileDescriptorProtos ?? [];
  if (bytes === undefined) return undefined;
  const file = fromBinary(FileDescriptorProtoSchema, bytes);
  file.name = "grpc/health/v1/health.proto";
  for (const message of file.messageType) renameMapEntries(message);
  const known = typeNames(file);
  for (const message of file.messageType) completeNames(message, `.${file.package}.${message.name}`, known);
  return Buffer.from(toBinary(FileDescriptorProtoSchema, file));
}

/** The entry of map `statuses` must be called `StatusesEntry`: https://protobuf.dev/programming-guides/proto3/#backwards */
function renameMapEntries(message: DescriptorProto): void {
  for (const nested of message.nestedType) {
    if (nested.options?.mapEntry !== true || nested.name.endsWith("Entry")) continue;
    const name = `${nested.name}Entry`;
    for (const field of message.field) if (field.typeName === nested.name) field.typeName = name;
    nested.name = name;
  }
}

function typeNames(file: FileDescriptorProto): ReadonlySet<string> {
  const names = new Set<string>(file.enumType.map(({ name }) => `.${file.package}.${name}`));
  const add = (message: DescriptorProto, scope: string): void => {
    const name = `${scope}.${message.name}`;
    names.add(name);
    for (const each of message.enumType) names.add(`${name}.${each.name}`);
    for (const nested of message.nestedType) add(nested, name);
  };
  for (const message of file.messageType) add(message, `.${file.package}`);
  return names;
}

/** Looks a relative name up from the innermost scope outwards, as protobuf does. */
function completeNames(message: DescriptorProto, scope: string, known: ReadonlySet<string>): void {
  for (const field of message.field) {
    if (field.typeName === "" || field.typeName.startsWith(".")) continue;
    for (let outer = scope; outer !== ""; outer = outer.slice(0, outer.lastIndexOf("."))) {
      const name = `${outer}.${field.typeName}`;
      if (!known.has(name)) continue;
      field.typeName = name;
      break;
    }
  }
  for (const nested of message.nestedType) completeNames(nested, `${scope}.${nested.name}`, known);
}
