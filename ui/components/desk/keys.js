// Which key does what. One table feeds both the keyboard and the help panel.

/** @type {{keys: string[], joint?: string, does: string}[][]} two columns of the help panel */
export const KEY_HELP = [
  [
    { keys: ["A"], does: "Approve, next" },
    { keys: ["⇧A"], does: "Approve every word heard" },
    { keys: ["X"], does: "Reject, then 1–9" },
    { keys: ["S"], does: "Skip, at the end again" },
    { keys: ["F"], does: "Second opinion" },
    { keys: ["Z"], does: "Undo, go back to it" },
    { keys: ["⇧Z"], does: "Redo" },
    { keys: ["1", "5"], joint: "–", does: "Score 0.2 to 1.0" },
    { keys: ["0"], does: "Clear the score" },
    { keys: ["N", "Esc"], does: "Note, leave it" },
    { keys: ["T"], does: "Correct the spoken text" },
  ],
  [
    { keys: ["Space", "K"], does: "Play, pause" },
    { keys: ["J", "L"], does: "Back, forward 1 s" },
    { keys: ["⇧J", "⇧L"], does: "Slower, faster" },
    { keys: ["W"], does: "Loop the word" },
    { keys: ["E"], does: "Sentence, then pause" },
    { keys: ["←", "→"], does: "Clip before, after" },
    { keys: ["↑", "↓"], does: "Target word" },
    { keys: ["G"], does: "Coverage of the word" },
    { keys: ["H", "?"], does: "All keys" },
    { keys: ["Esc"], does: "Back, close" },
  ],
];

const PLAIN = {
  a: "approve", x: "reject", s: "skip", f: "flag", z: "undo", n: "note", t: "correct",
  k: "play", j: "back", l: "forward", w: "loop", e: "sentence", g: "coverage", h: "help",
};
const SHIFTED = { a: "approve_all", z: "redo", j: "slower", l: "faster" };
const NAMED = {
  " ": "play", ArrowLeft: "previous", ArrowRight: "next", ArrowUp: "target_up", ArrowDown: "target_down",
  Escape: "escape", Enter: "enter",
};
const ALLOWED_WHILE_REJECTING = new Set(["play", "back", "forward", "loop", "sentence", "slower", "faster", "escape", "reject", "help"]);

/** The letter of a key press, also on a keyboard layout without Latin letters. */
export function letterOf(event) {
  const key = event.key.toLowerCase();
  if (/^[ -~]$/.test(key)) return key;
  const code = /^Key([A-Z])$/.exec(event.code ?? "");
  return code ? code[1].toLowerCase() : key;
}

/**
 * What a key press asks for.
 * @param {{key: string, code?: string, shiftKey?: boolean, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @param {{isTyping?: boolean, isRejecting?: boolean, hasLetters?: boolean}} mode
 * @returns {{action: string, value?: number}|null} null: not ours, the browser may have it
 */
export function actionOf(event, { isTyping = false, isRejecting = false, hasLetters = true } = {}) {
  const hasCommand = Boolean(event.ctrlKey || event.metaKey);
  if (isTyping) return typingAction(event, hasCommand);
  const letter = letterOf(event);
  if (hasCommand) return letter === "z" && !event.altKey ? { action: event.shiftKey ? "redo" : "undo" } : null;
  if (event.altKey) return null;
  const found = NAMED[event.key] ? { action: NAMED[event.key] } : hasLetters ? letterAction(letter, Boolean(event.shiftKey), isRejecting) : null;
  if (found === null || !isRejecting) return found;
  return found.action === "reason" || ALLOWED_WHILE_REJECTING.has(found.action) ? found : null;
}

function typingAction(event, hasCommand) {
  if (event.key === "Escape") return { action: "leave" };
  if (event.key === "Enter" && hasCommand) return { action: "commit" };
  return null;
}

function letterAction(letter, isShifted, isRejecting) {
  if (letter === "?") return { action: "help" };
  if (/^[0-9]$/.test(letter)) return digitAction(Number(letter), isRejecting);
  const action = isShifted ? SHIFTED[letter] : PLAIN[letter];
  return action ? { action } : null;
}

function digitAction(digit, isRejecting) {
  if (isRejecting) return digit === 0 ? null : { action: "reason", value: digit };
  return digit <= 5 ? { action: "score", value: digit } : null;
}

/** True while someone writes: letters then belong to the field. */
export function isTypingIn(element) {
  if (!element || !element.tagName) return false;
  const tag = element.tagName.toLowerCase();
  if (tag === "textarea" || tag === "select" || element.isContentEditable) return true;
  return tag === "input" && !["checkbox", "radio", "button", "submit", "range"].includes(element.type);
}
