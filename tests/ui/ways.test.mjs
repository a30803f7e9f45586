// Which links change the page at once, and which stay ordinary links.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const source = await readFile(new URL("../../ui/components/ways/ways.js", import.meta.url), "utf8");
const { wayOf } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const ORIGIN = "http://127.0.0.1:8501";

test("a link of a page becomes its name and query", () => {
  assert.deepEqual(wayOf("/coverage?word=a%26b&demo=1", ORIGIN), { name: "coverage", query: { word: "a&b", demo: "1" } });
  assert.deepEqual(wayOf("/", ORIGIN), { name: "", query: {} });
});

test("media, anchors and other hosts stay ordinary links", () => {
  for (const href of ["/backend/v3/videos/1", "/api/media/x", "/coverage#x", "//evil.example/coverage", "https://evil.example/"]) {
    assert.equal(wayOf(href, ORIGIN), null, href);
  }
});
