import assert from "node:assert/strict";
import { test } from "node:test";
import { gainFor, hasPassedEnd, hasPlayed, isUnsure, loopAround, marksOf, sentenceOf, wordAt } from "../../ui/components/desk/karaoke.js";
import { axisSteps, barsOf, movedLoop, timeAt, xOf } from "../../ui/components/desk/waveform.js";

const word = (start_s, end_s, rest = {}) => ({ text: "w", start_s, end_s, probability: 0.9, fault: null, ...rest });
const words = [word(0.5, 1), word(1, 1.4), word(1.45, 2), word(3, 3.5)];

test("the lit word is the one whose half-open span holds the moment", () => {
  assert.equal(wordAt(words, 0.2), -1);
  assert.equal(wordAt(words, 0.5), 0);
  assert.equal(wordAt(words, 1), 1);
  assert.equal(wordAt(words, 1.42), 1, "a short gap keeps the word before");
  assert.equal(wordAt(words, 2.5), -1, "a silence lights nothing");
  assert.equal(wordAt(words, 3.5), -1);
  assert.equal(wordAt([], 1), -1);
});

test("bridging never lights a wrong word 60 ms or more from a boundary", () => {
  for (let time_s = 0; time_s < 4; time_s += 0.005) {
    const lit = wordAt(words, time_s);
    const truth = words.findIndex((row) => time_s >= row.start_s && time_s < row.end_s);
    const isFar = words.every((row) => Math.abs(time_s - row.start_s) >= 0.06 && Math.abs(time_s - row.end_s) >= 0.06);
    if (isFar) assert.equal(lit, truth, `at ${time_s}`);
  }
});

test("the loop is one second on each side and stays inside the clip", () => {
  assert.deepEqual(loopAround({ start_s: 0.4, end_s: 1 }, 8), { start_s: 0, end_s: 2 });
  assert.deepEqual(loopAround({ start_s: 5, end_s: 7.6 }, 8), { start_s: 4, end_s: 8 });
  assert.ok(hasPassedEnd(1.9, 2.01, 2) && !hasPassedEnd(2.5, 2.6, 2), "a seek beyond the loop stays there");
  assert.ok(hasPlayed(0.6, 0.8, words[0]) && !hasPlayed(0, 0.9, words[0]), "a jump over the word is not a play");
});

test("doubt comes from the probability or a fault, never from an absent probability", () => {
  assert.ok(isUnsure(word(0, 1, { probability: 0.49 })) && isUnsure(word(0, 1, { fault: "outside the speech" })));
  assert.ok(!isUnsure(word(0, 1, { probability: null })) && !isUnsure(word(0, 1, { probability: 0.5 })));
});

test("four marks can meet on one word, and the focus wins the box", () => {
  const target = (mapping_id, state, first, n_words) => ({ mapping_id, evidence: { state, occurrences: [{ word_index: first, n_words }] } });
  const marks = marksOf([word(0, 1), word(1, 2, { probability: 0.2 }), word(2, 3)], [target("b", "captioned", 1, 1), target("a", "heard", 0, 2)], "b");
  assert.deepEqual(marks.map((mark) => mark.box), ["teaches", "target", ""]);
  assert.ok(marks[1].isCaptioned && marks[1].isUnsure && !marks[0].isCaptioned);
  assert.equal(sentenceOf([[0, 2], [2, 5]], 2), 1);
});

test("loudness: towards -18 LUFS, clamped, and untouched where unknown", () => {
  assert.equal(gainFor(-18), 1);
  assert.ok(Math.abs(gainFor(-24) - 1.995) < 0.01);
  assert.equal(gainFor(-60), 4);
  assert.equal(gainFor(0), 0.25);
  assert.equal(gainFor(null), 1);
});

test("the waveform's two ways of reading a place agree", () => {
  for (const time_s of [0, 1.25, 6.3]) assert.ok(Math.abs(timeAt(xOf(time_s, 6.3, 656), 6.3, 656) - time_s) < 1e-9);
  assert.equal(timeAt(-50, 6.3, 656), 0);
  assert.deepEqual(movedLoop({ start_s: 1, end_s: 2 }, "start_s", 5, 8), { start_s: 1.8, end_s: 2 }, "an edge stops before the other");
  assert.deepEqual(movedLoop({ start_s: 1, end_s: 2 }, "end_s", 50, 8), { start_s: 1, end_s: 8 });
  assert.ok([2, 6.3, 9.4, 14.4, 15, 40].every((duration_s) => axisSteps(duration_s).length <= 10));
  assert.equal(Math.max(...barsOf([0.1, 0.9, 0.2], 656)), 0.9);
});
