import { expect, test } from "vitest";
import { toRefusal } from "./refusal.ts";

test.each([
  ["unknown field", "refused the request for m with HTTP 400: unknown field. The server calls"],
  ["No such thing!", "refused the request for m with HTTP 400: No such thing! The server calls"],
  ["key sk-1 is bad", "HTTP 400: key [redacted] is bad. The server calls"],
])("what the server said, %j, is a sentence of its own before the advice", (message, text) => {
  const error = toRefusal({
    failure: { kind: "status", status: 400, message },
    verdict: { action: "refused", kind: "invalid_request" },
    host: "engine:8000",
    model: "m",
    secrets: ["sk-1"],
  });
  expect(error.message).toContain(text);
});
