import assert from "node:assert/strict";
import { test } from "node:test";
import { History, Outbox, RETRY_MS } from "../../ui/components/desk/saving.js";
import { savedLook } from "../../ui/components/desk/bar.js";

class Tab {
  constructor() { this.kept = new Map(); }
  getItem(name) { return this.kept.get(name) ?? null; }
  setItem(name, value) { this.kept.set(name, value); }
}

const letter = (id, mapping_id = "m1", version = 1) => ({ id, kind: "decision", path: `/mappings/${mapping_id}/decisions`, word: "w", clip_id: "c", mapping_id, body: { version } });

function outbox(post, storage = new Tab()) {
  const seen = { answered: [], refused: [], timers: [] };
  const box = new Outbox({ storage, post, onChange: () => {}, onAnswer: (sent, answer) => seen.answered.push([sent.id, answer]), onRefused: (sent, refusal) => seen.refused.push([sent.id, refusal]), later: (run, ms) => seen.timers.push({ run, ms }), forget: () => {} });
  return { box, seen };
}

test("saved only after the answer; sent one after another, with the idempotency key", async () => {
  const sent = [];
  let release;
  const gate = new Promise((resolve) => { release = resolve; });
  const { box, seen } = outbox(async (path, body) => { sent.push(body.idempotency_key); await gate; return { status: 200, body: { mapping_id: "m1", version: 2 } }; });
  box.add(letter("k1"), letter("k2"));
  assert.equal(box.state, "saving");
  assert.deepEqual(sent, ["k1"], "the second waits for the first");
  release();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(box.state, "saved");
  assert.deepEqual(sent, ["k1", "k2"]);
  assert.equal(seen.answered.length, 2);
});

test("what stands behind our own answer carries its version", async () => {
  const versions = [];
  const { box } = outbox(async (path, body) => { versions.push(body.version); return { status: 200, body: { mapping_id: "m1", version: body.version + 1 } }; });
  box.add(letter("k1"), letter("k2"), letter("k3", "other", 7));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(versions, [1, 2, 7]);
});

test("an unreachable server: kept in the tab, sent again every five seconds, same key, and nothing is lost by a reload", async () => {
  const storage = new Tab();
  const keys = [];
  let isDown = true;
  const post = async (path, body) => { keys.push(body.idempotency_key); if (isDown) throw new TypeError("failed to fetch"); return { status: 200, body: { mapping_id: "m1", version: 2 } }; };
  const { box, seen } = outbox(post, storage);
  box.add(letter("k1"), letter("k2"), letter("k3"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(box.state, "unsaved");
  assert.equal(savedLook({ state: box.state, nWaiting: box.nWaiting }, null).text, "Not saved yet: 3");
  assert.equal(seen.timers.at(-1).ms, RETRY_MS);
  const again = outbox(post, storage);
  assert.equal(again.box.nWaiting, 3);
  isDown = false;
  await again.box.flush();
  assert.equal(again.box.state, "saved");
  assert.deepEqual(keys, ["k1", "k1", "k2", "k3"]);
});

test("500 and 429 are tried again; 409 and 422 are told and not repeated", async () => {
  const answers = [{ status: 500, body: {} }, { status: 409, body: { code: "conflict", message: "Jonas approved this 20 s ago.", hint: "h" } }, { status: 200, body: { mapping_id: "m2", version: 2 } }];
  const { box, seen } = outbox(async () => answers.shift());
  box.add(letter("k1"), letter("k2", "m2"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(box.state, "unsaved");
  seen.timers.at(-1).run();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(box.state, "saved");
  assert.deepEqual(seen.refused.map(([id, refusal]) => [id, refusal.status, refusal.message]), [["k1", 409, "Jonas approved this 20 s ago."]]);
  assert.deepEqual(seen.answered.map(([id]) => id), ["k2"]);
});

test("a conflict is said before Saved, but never over what is not saved", () => {
  const notice = { state: "conflict", icon: "group", tone: "warn", text: "Jonas approved this 20 s ago", detail: "", action: null };
  assert.equal(savedLook({ state: "saved", nWaiting: 0 }, notice).text, notice.text);
  assert.equal(savedLook({ state: "unsaved", nWaiting: 2 }, notice).text, "Not saved yet: 2");
  assert.equal(savedLook({ state: "saving", nWaiting: 2 }, null).text, "Saving 2");
  assert.equal(savedLook({ state: "saved", nWaiting: 0 }, null).text, "Saved");
});

test("history goes back and forth, a new decision ends what could be done again, and a reload keeps it", () => {
  const tab = new Tab();
  const history = new History(tab);
  history.add("one");
  history.add("two");
  assert.equal(history.back(), "two");
  assert.equal(new History(tab).forth(), "two");
  const after = new History(tab);
  assert.equal(after.back(), "two");
  after.add("three");
  assert.equal(after.forth(), null);
  assert.deepEqual([after.back(), after.back(), after.back()], ["three", "one", null]);
});
