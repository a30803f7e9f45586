// Which links change the page at once, and which stay ordinary links.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const source = await readFile(new URL("../../ui/components/ways/ways.js", import.meta.url), "utf8");
const { default: mount, wayOf } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
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

/** A click on a link of a page, here a browser that shows `pathname`. Returns: what the browser and the script were told. */
function follow(href, pathname, events = ["pointerdown", "pointerup", "click"], moved = 0) {
  const told = [];
  globalThis.PopStateEvent = class { constructor(type) { this.type = type; } };
  globalThis.window = {
    location: { origin: ORIGIN, pathname },
    history: { pushState: (_, __, address) => told.push(["address", address]) },
    dispatchEvent: (event) => told.push(["event", event.type]),
    setTimeout: (work) => later.push(work),
  };
  const listeners = {}, later = [];
  globalThis.document = { addEventListener: (name, listener) => { listeners[name] = listener; }, removeEventListener: () => {} };
  mount({ setTriggerValue: (name, value) => told.push([name, value]) });
  events.forEach((name, n) => {
    const target = { closest: () => ({ getAttribute: () => href }) };
    listeners[name]({ button: 0, clientX: n * moved, clientY: 0, target, preventDefault: () => {} });
  });
  later.forEach((work) => work());
  return told;
}

test("the browser goes to another page by itself, so that the old page's timers stop first", () => {
  assert.deepEqual(follow("/review?word=a", "/discover"), [["address", "/review?word=a"], ["event", "popstate"]]);
});

test("a link to the same page is the script's to follow", () => {
  assert.deepEqual(follow("/coverage?word=a", "/coverage"), [["way", { name: "coverage", query: { word: "a" } }]]);
});

test("a link that is drawn anew while it is pressed is followed once, although the browser makes no click of it", () => {
  const there = [["address", "/review"], ["event", "popstate"]];
  assert.deepEqual(follow("/review", "/discover", ["pointerdown", "pointerup"]), there);
  assert.deepEqual(follow("/review", "/discover"), there);
  assert.deepEqual(follow("/review", "/discover", ["pointerdown", "pointerup"], 40), [], "dragged away");
});
