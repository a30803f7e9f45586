import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue, noteOf, pipsOf } from "../../ui/components/desk/queue.js";
import { approveLabel, approvedAll, approvedTogether, isLocked, isTickedAtFirst, nextOpen, withState } from "../../ui/components/desk/targets.js";
import { applyStates, countToday, decisionLetters, historyEntry, paceOf } from "../../ui/components/desk/decisions.js";

const head = (clip_id, rest = {}) => ({ clip_id, word: `word-${clip_id}`, mapping_id: `m-${clip_id}`, film_title: "Film", evidence: "heard", approved: 1, want: 3, n_alike: 1, flags: [], ...rest });
const ids = (queue) => queue.rows.map((row) => row.head.clip_id);
const target = (word, state = "heard", rest = {}) => ({ mapping_id: `m-${word}`, word, state: "in_review", version: 1, approved: 0, want: 3, evidence: { state, occurrences: [{ word_index: 0, n_words: 1, probability: 0.9 }] }, proposal: null, ...rest });

test("a decision keeps its row and goes on; the three after it are named for loading", () => {
  const queue = new Queue(["a", "b", "c", "d", "e"].map((id) => head(id)));
  assert.deepEqual(queue.upcoming(3).map((row) => row.head.clip_id), ["b", "c", "d"]);
  queue.finish({ kind: "approve", label: "Approved" });
  assert.equal(queue.current.head.clip_id, "b");
  assert.deepEqual(ids(queue), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(queue.place, { place: 2, total: 5 });
});

test("a skipped clip comes back at the end once, then it can be brought back", () => {
  const queue = new Queue([head("a"), head("b")]);
  queue.finish({ kind: "skip", label: "Skipped" });
  assert.equal(queue.nOpen, 2);
  assert.deepEqual(queue.place, { place: 1, total: 2 });
  queue.finish({ kind: "approve", label: "Approved" });
  assert.equal(queue.current.head.clip_id, "a");
  assert.equal(queue.finish({ kind: "skip", label: "Skipped" }), null);
  assert.equal(queue.skipped.length, 1);
  assert.equal(queue.returnSkipped(), 1);
  assert.equal(queue.current.head.clip_id, "a");
  assert.equal(queue.current.outcome, null);
});

test("undo opens the row again, also one that this tab never held", () => {
  const queue = new Queue([head("a"), head("b")]);
  queue.finish({ kind: "skip", label: "Skipped" });
  queue.reopen(head("a"));
  assert.deepEqual(ids(queue), ["a", "b"], "the copy at the end is gone");
  assert.equal(queue.current.head.clip_id, "a");
  queue.reopen(head("z"));
  assert.deepEqual(ids(queue), ["z", "a", "b"]);
});

test("a full word parks its other clips, and frees them when an approval is taken back", () => {
  const queue = new Queue([head("a", { word: "refer", approved: 2 }), head("b", { word: "refer", approved: 2 }), head("c")]);
  queue.count("refer", 3);
  queue.finish({ kind: "approve", label: "Approved" });
  assert.equal(queue.current.head.clip_id, "c");
  assert.equal(queue.nOpen, 1);
  queue.count("refer", 2);
  assert.equal(queue.nOpen, 2);
});

test("a newer order from the server leaves what is loaded and what is decided in place", () => {
  const queue = new Queue(["a", "b", "c", "d", "e", "f", "g"].map((id) => head(id)));
  queue.finish({ kind: "approve", label: "Approved" });
  queue.merge(["a", "g", "f", "b", "x", "c"].map((id) => head(id)), { held: 3 });
  assert.equal(queue.current.head.clip_id, "b");
  assert.deepEqual(ids(queue), ["a", "b", "c", "d", "e", "g", "f", "x"]);
  assert.equal(queue.rows[0].outcome.kind, "approve");
});

test("what only the server has is counted, and comes before what was skipped", () => {
  const queue = new Queue([head("a"), head("b")], 4);
  assert.equal(queue.nOpen, 4);
  assert.ok(queue.isRunningLow);
  queue.finish({ kind: "skip", label: "Skipped" });
  assert.deepEqual(queue.place, { place: 1, total: 4 });
  assert.equal(queue.finish({ kind: "approve", label: "Approved" }), null, "the skipped one waits for what is beyond");
  assert.equal(queue.nOpen, 3);
  queue.merge([head("c", { state: "in_review" }), head("d", { state: "in_review" })], { total: 3 });
  assert.deepEqual([queue.beyond, queue.nOpen], [0, 3], "the skipped clip is among the three that the server counts");
  assert.equal(queue.advance().head.clip_id, "c");
  assert.deepEqual(queue.upcoming(3).map((row) => row.head.clip_id), ["d", "a"]);
  assert.ok(!queue.isRunningLow);
});

test("a decided clip comes back for a word that still waits, not for the one that is on its way", () => {
  const queue = new Queue([head("a"), head("b"), head("c")]);
  queue.finish({ kind: "approve", label: "Approved" });
  queue.finish({ kind: "approve", label: "Approved" });
  const waits = (id) => head(id, { state: "in_review", mapping_id: `m2-${id}`, word: `word2-${id}` });
  queue.merge([waits("a"), waits("b"), waits("c")], { moving: new Set(["b"]) });
  assert.deepEqual(ids(queue), ["a", "b", "c", "a"]);
  assert.equal(queue.rows[3].head.word, "word2-a");
  assert.deepEqual(queue.place, { place: 2, total: 3 }, "one clip, counted where it comes back");
  queue.goTo(queue.rows[3].row_id);
  queue.finish({ kind: "approve", label: "Approved" });
  assert.equal(queue.reopen(queue.rows[3].head).head.word, "word2-a", "undo goes back to the row of that word");
  queue.merge([{ ...waits("c"), state: "skipped" }]);
  assert.equal(new Set(queue.rows.map((row) => row.row_id)).size, queue.rows.length);
});

test("a present row that counts elsewhere makes no clip more", () => {
  const queue = new Queue([head("a"), head("b")]);
  queue.finish({ kind: "approve", label: "Approved" });
  queue.finish({ kind: "approve", label: "Approved" });
  queue.rows[1].outcome = { kind: "parked", label: "Has 3" };
  assert.deepEqual(queue.place, { place: 1, total: 1 });
});

test("a word that was skipped beside one that was then decided comes back; one that was skipped again does not", () => {
  const queue = new Queue([head("a"), head("b")]);
  queue.finish({ kind: "skip", label: "Skipped" });
  queue.finish({ kind: "approve", label: "Approved" });
  queue.finish({ kind: "approve", label: "Approved" });
  queue.merge([head("a", { state: "skipped", mapping_id: "m2-a" })]);
  assert.equal(queue.nOpen, 1);
  queue.advance();
  queue.finish({ kind: "skip", label: "Skipped" });
  queue.goTo(queue.rows.at(-1).row_id);
  queue.finish({ kind: "skip", label: "Skipped" });
  queue.merge([head("a", { state: "skipped", mapping_id: "m2-a" })]);
  assert.deepEqual([queue.nOpen, queue.skipped.length], [0, 1]);
});

test("an undo that the server has not heard of keeps its row; a skipped clip is not parked", () => {
  const queue = new Queue(["a", "b", "c", "d", "e", "f"].map((id) => head(id)));
  for (let n = 0; n < 5; n += 1) queue.finish({ kind: "approve", label: "Approved" });
  queue.reopen(head("a"));
  queue.goTo("f");
  queue.merge([head("f", { state: "in_review" })], { moving: new Set(["a"]) });
  assert.equal(queue.rows[0].outcome, null);
  const full = new Queue([head("a", { word: "refer" }), head("b", { word: "refer" })]);
  full.finish({ kind: "skip", label: "Skipped" });
  full.count("refer", 3);
  assert.equal(full.nOpen, 2, "the present one and the one that comes back");
});

test("one thing to know of a row, most important first", () => {
  assert.equal(noteOf(head("a", { evidence: "not_heard", flags: ["check_timing"] })).text, "Not heard");
  assert.equal(noteOf(head("a", { evidence: "captioned" })).text, "Captioned");
  assert.equal(noteOf(head("a", { flags: ["second_opinion", "check_timing"] })).text, "Check timing");
  assert.equal(noteOf(head("a", { n_alike: 3 })).text, "3 alike");
  assert.equal(noteOf(head("a")).text, "Film");
  assert.deepEqual(pipsOf(2, 3), ["filled", "filled", "added"]);
  assert.deepEqual(pipsOf(4, 3), ["filled", "filled", "filled"]);
});

test("what A and Shift+A approve", () => {
  const targets = [target("a"), target("b"), target("c", "heard", { approved: 3 }), target("d", "captioned"), target("e", "not_heard")];
  const words = [{ probability: 0.9, fault: null }];
  const ticks = new Set(targets.slice(1).filter((one) => isTickedAtFirst(one, words)).map((one) => one.mapping_id));
  assert.deepEqual([...ticks], ["m-b"], "heard, and still wanted");
  assert.deepEqual(approvedTogether(targets, "m-a", ticks).map((one) => one.word), ["a", "b"]);
  assert.deepEqual(approvedTogether(targets, "m-d", new Set(["m-e"])).map((one) => one.word), ["d"], "a word nobody heard cannot ride along");
  assert.deepEqual(approvedAll(targets, "m-b").map((one) => one.word), ["b", "a", "c"]);
  assert.deepEqual([1, 2, 3].map(approveLabel), ["Approve", "Approve both", "Approve 3"]);
  assert.ok(isLocked(targets[4], "  ") && !isLocked(targets[4], "he nods") && !isLocked(targets[3], ""));
  assert.ok(!isTickedAtFirst(target("f", "heard", { evidence: { state: "heard", occurrences: [{ word_index: 0, n_words: 1, probability: 0.41 }] } }), words), "an unsure word starts unticked");
});

test("after a rejection the desk stays while another word of the clip is undecided and wanted", () => {
  const targets = [target("a"), target("b"), target("c", "heard", { approved: 3 }), target("d", "not_heard")];
  assert.equal(nextOpen(targets, "m-a").word, "b");
  assert.equal(nextOpen([targets[0], targets[2], targets[3]], "m-a"), null);
  assert.equal(withState(target("a"), "approved").approved, 1);
  assert.equal(withState(target("a", "heard", { state: "approved", approved: 2 }), "in_review").approved, 1);
});

test("the letters of one key share a visit, have their own idempotency keys, and carry what was seen", () => {
  const visit = { clip_id: "clip", transcript_id: "t1" };
  const letters = decisionLetters({ visit, targets: [target("a"), target("b", "heard", { version: 4 })], decision: "approve", reasons: [], draftOf: () => ({ score: 0.8, note: " yes " }), watched_s: 3.14159, target_plays: 2, visit_id: "v" });
  assert.equal(new Set(letters.map((letter) => letter.id)).size, 2);
  assert.deepEqual(letters.map((letter) => letter.body.visit_id), ["v", "v"]);
  assert.deepEqual(letters.map((letter) => letter.body.version), [1, 4]);
  assert.deepEqual(letters[0].body, { decision: "approve", reasons: [], score: 0.8, note: "yes", version: 1, visit_id: "v", proposal_id: null, transcript_id: "t1", score_visible: true, watched_s: 3.14, target_plays: 2 });
});

test("undo restores states and counts, in the visits and in the queue", () => {
  let held = target("a");
  const counted = [];
  const visits = { change: (id, change) => { held = change(held); }, count: (word, approved) => counted.push([word, approved]) };
  const entry = historyEntry({ visit_id: "v", head: head("x"), targets: [held], decision: "approve", reasons: [], hasEnded: true });
  applyStates({ visits, queue: visits }, entry, "after");
  assert.equal(held.state, "approved");
  applyStates({ visits, queue: visits }, entry, "before");
  assert.deepEqual([held.state, held.approved], ["in_review", 0]);
  assert.deepEqual(counted.map((row) => row[1]), [1, 1, 0, 0]);
  const today = { decided: 5, approved: 3, rejected: 2, per_minute: null };
  assert.deepEqual(countToday(countToday(today, entry, 1), entry, -1), today);
  assert.equal(paceOf([0, 1000], 2000), null, "two decisions are no pace");
  assert.equal(Math.round(paceOf([0, 20000, 40000], 60000)), 3);
});
