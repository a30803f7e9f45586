import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { around, compareLines, isWithin, marked, parted, runsOf } from "../../ui/components/desk/compare.js";
import { luminanceOf } from "../../ui/components/desk/theme.js";
import { readable } from "../../ui/components/desk/rail.js";

const visit = (rest) => ({ words: "I read you barely over".split(" ").map((text) => ({ text, probability: text === "barely" ? 0.41 : 0.9 })), captions: "", recognition: "", judge_text: "", ...rest });

test("no lines where all agree but for case and punctuation", () => {
  assert.deepEqual(compareLines(visit({ captions: "I read you, BARELY. Over!", recognition: "i read you barely over", judge_text: "read you barely" })), []);
});

test("differing words are marked in each source, and the doubt stands beside the recognition", () => {
  const lines = compareLines(visit({ captions: "I read you fairly. Over", recognition: "I read you barely over", judge_text: "read you barely" }));
  assert.deepEqual(lines.map((line) => line.source), ["Captions", "Recognition", "Judge"]);
  assert.deepEqual(lines.slice(0, 2).map((line) => line.parts.filter((part) => part.differs).map((part) => part.text)), [["fairly."], ["barely"]]);
  assert.equal(lines[1].aside, "p 0.41");
  assert.equal(lines[2].aside, "✓ same");
});

test("a judge that read only the captions is named", () => {
  const lines = compareLines(visit({ captions: "I read you fairly over", recognition: "I read you barely over", judge_text: "you fairly over" }));
  assert.equal(lines.at(-1).aside, "from captions");
  assert.ok(isWithin("fairly over", "you fairly, over.") && !isWithin("fair", "fairly"));
});

test("runs of different words are one mark, far ones come into sight", () => {
  assert.deepEqual(runsOf(marked("were thoroughly misled and so", "were through a missile and so")), [{ text: "were", differs: false }, { text: "thoroughly misled", differs: true }, { text: "and so", differs: false }]);
  const far = around(marked(`${"word ".repeat(20)}odd`, "word ".repeat(20)));
  assert.equal(far[0].text, "…");
  assert.ok(far.length < 12);
});

test("punctuation stays outside a word's box", () => {
  assert.deepEqual(parted("“emergency”?"), { before: "“", core: "emergency", after: "”?" });
  assert.deepEqual(parted("o’clock,"), { before: "", core: "o’clock", after: "," });
  assert.deepEqual(parted("—"), { before: "", core: "—", after: "" });
});

test("the background says which theme", () => {
  assert.ok(luminanceOf("#FFFFFF") > 0.9 && luminanceOf("rgb(23, 25, 29)") < 0.05);
  assert.equal(readable("toefl_beginner"), "TOEFL beginner");
  assert.equal(readable("business_english"), "Business english");
});

test("nothing in the desk ever reads markup", () => {
  const folder = new URL("../../ui/components/desk/", import.meta.url);
  const names = ["dom", "keys", "karaoke", "targets", "queue", "saving", "compare", "theme", "api", "decisions", "transcript", "waveform", "player", "rail", "card", "bar", "panels", "keyboard", "showing", "desk"];
  for (const name of names) assert.doesNotMatch(readFileSync(new URL(`${name}.js`, folder), "utf8"), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\(/, name);
});
