import assert from "node:assert/strict";
import { test } from "node:test";
import { featuresOf, tagsOf } from "../../ui/components/desk/targets.js";

const feature = (name, weight, is_good = true) => ({ name, label: name, value: 0.5, weight, is_good });
const names = (found) => found.shown.map((one) => one.name);

test("five chips stand on the card: what speaks against the clip first, then what weighs most", () => {
  const features = [feature("a", 0.1), feature("b", 0.3), feature("c", 0.05, false), feature("d", 0.2, false), feature("e", 0.25), feature("f", 0.02), feature("g", 0.15)];
  const found = featuresOf(features, false);
  assert.deepEqual(names(found), ["d", "c", "b", "e", "g"]);
  assert.equal(found.nMore, 2);
  assert.deepEqual(names(featuresOf(features, true)), ["d", "c", "b", "e", "g", "a", "f"]);
  assert.equal(features[0].name, "a", "what came from the server is not sorted in place");
});

test("six warnings leave no room for praise, and five chips need no switch", () => {
  const warnings = ["a", "b", "c", "d", "e", "f"].map((name) => feature(name, 0.1, false));
  assert.deepEqual(names(featuresOf([feature("good", 0.9), ...warnings], false)), ["a", "b", "c", "d", "e"]);
  assert.equal(featuresOf(warnings.slice(0, 5), false).nMore, 0);
  assert.deepEqual(names(featuresOf([{ ...feature("a"), weight: undefined }, feature("b", 0.1)], false)), ["b", "a"], "a judge without weights");
});

test("three bundles are named, the rest is counted", () => {
  assert.deepEqual(tagsOf(["a", "b", "c"]), { named: ["a", "b", "c"], counted: [] });
  assert.deepEqual(tagsOf(["a", "b", "c", "d", "e"]), { named: ["a", "b", "c"], counted: ["d", "e"] });
});
