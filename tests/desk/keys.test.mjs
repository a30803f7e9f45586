import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY_HELP, actionOf, isTypingIn, letterOf } from "../../ui/components/desk/keys.js";

const press = (key, rest = {}) => ({ key, ...rest });
const action = (event, mode) => actionOf(event, mode)?.action ?? null;

test("every key of the design's table does its work", () => {
  const table = { a: "approve", x: "reject", s: "skip", z: "undo", f: "flag", n: "note", t: "correct", k: "play", j: "back", l: "forward", w: "loop", e: "sentence", g: "coverage", h: "help", "?": "help", " ": "play", ArrowLeft: "previous", ArrowRight: "next", ArrowUp: "target_up", ArrowDown: "target_down", Escape: "escape" };
  for (const [key, wanted] of Object.entries(table)) assert.equal(action(press(key)), wanted, key);
});

test("shift, control and caps lock", () => {
  assert.equal(action(press("A", { shiftKey: true })), "approve_all");
  assert.equal(action(press("A")), "approve", "caps lock is not shift");
  assert.equal(action(press("Z", { shiftKey: true })), "redo");
  assert.equal(action(press("z", { ctrlKey: true })), "undo");
  assert.equal(action(press("z", { metaKey: true })), "undo");
  assert.equal(action(press("Z", { ctrlKey: true, shiftKey: true })), "redo");
  assert.equal(action(press("J", { shiftKey: true })), "slower");
  assert.equal(action(press("L", { shiftKey: true })), "faster");
  assert.equal(action(press("a", { ctrlKey: true })), null, "select all stays the browser's");
  assert.equal(action(press("ArrowLeft", { altKey: true })), null, "the browser's own way back stays");
  assert.equal(action(press("Backspace")), null, "nothing destructive on Backspace");
});

test("digits are scores, and reasons after X", () => {
  assert.deepEqual(actionOf(press("4")), { action: "score", value: 4 });
  assert.deepEqual(actionOf(press("0")), { action: "score", value: 0 });
  assert.equal(actionOf(press("7")), null);
  assert.deepEqual(actionOf(press("7"), { isRejecting: true }), { action: "reason", value: 7 });
  assert.equal(action(press("x"), { isRejecting: true }), "reject");
  for (const key of ["a", "s", "f", "z", "n", "0", "ArrowRight"]) assert.equal(actionOf(press(key), { isRejecting: true }), null, `${key} decides nothing while a reason is asked for`);
  assert.equal(action(press(" "), { isRejecting: true }), "play", "listening again is allowed");
});

test("letters rest while someone types and when they are switched off", () => {
  assert.equal(actionOf(press("a"), { isTyping: true }), null);
  assert.equal(action(press("Escape"), { isTyping: true }), "leave");
  assert.equal(action(press("Enter", { ctrlKey: true }), { isTyping: true }), "commit");
  assert.equal(actionOf(press("z", { ctrlKey: true }), { isTyping: true }), null, "undo in a field is the field's");
  for (const key of ["a", "x", "1", "?"]) assert.equal(actionOf(press(key), { hasLetters: false }), null);
  assert.equal(action(press(" "), { hasLetters: false }), "play");
  assert.equal(action(press("z", { ctrlKey: true }), { hasLetters: false }), "undo");
});

test("a keyboard without Latin letters works by position", () => {
  assert.equal(letterOf(press("ф", { code: "KeyA" })), "a");
  assert.equal(action(press("я", { code: "KeyZ" })), "undo");
});

test("fields are where one types, buttons and boxes are not", () => {
  const field = (tagName, type) => ({ tagName, type });
  assert.ok(isTypingIn(field("TEXTAREA")) && isTypingIn(field("SELECT")) && isTypingIn(field("INPUT", "text")));
  assert.ok(!isTypingIn(field("INPUT", "checkbox")) && !isTypingIn(field("BUTTON")) && !isTypingIn(null));
});

test("the help panel names every letter that does something", () => {
  const shown = new Set(KEY_HELP.flat().flatMap((row) => row.keys));
  for (const key of "axsfzntkjlwegh") assert.ok(shown.has(key.toUpperCase()), key);
});
