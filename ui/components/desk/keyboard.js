// From a key press to an action: whose key it is, whether someone types, whether it is held.
import { actionOf, isTypingIn } from "./keys.js";

export class Keyboard {
  /** @param {import("./desk.js").Desk} desk */
  constructor(desk) {
    Object.assign(this, { desk, root: desk.root, hasTabbed: false });
    this.off = new AbortController();
    const { signal } = this.off;
    window.addEventListener("keydown", (event) => this.pressed(event), { capture: true, signal });
    window.addEventListener("online", () => void desk.outbox.flush(), { signal });
    window.addEventListener("beforeunload", (event) => { if (desk.outbox.nWaiting > 0) event.preventDefault(); }, { signal });
    this.root.addEventListener("focusin", (event) => this.focused(event), { signal });
    this.root.addEventListener("focusout", (event) => { if (event.target.classList?.contains("note-field") && desk.isNoting && event.relatedTarget !== null) desk.leaveNote(); }, { signal });
  }

  pressed(event) {
    const [path] = event.composedPath();
    const target = path instanceof Element ? path : document.body;
    const isTyping = isTypingIn(target);
    const isOurs = this.root.contains(target) || target === document.body || target === document.documentElement;
    if (event.key === "Tab") this.hasTabbed = true;
    if (event.isComposing || (!isOurs && isInteractive(target))) return;
    if (isTyping) return this.pressedInField(event, target);
    if ((event.key === " " || event.key === "Enter") && this.pressesButton(event, target)) return;
    const found = actionOf(event, { isRejecting: this.desk.isRejecting, hasLetters: this.desk.hasLetters });
    if (found === null) return;
    if (found.action === "enter" && this.desk.isStarted) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat) return; // a held key counts once
    this.desk.act(found.action, found.value);
  }

  /** Space and Enter press a button that was reached with Tab; elsewhere Space plays. */
  pressesButton(event, target) {
    const isControl = target.tagName === "BUTTON" || target.tagName === "A" || target.tagName === "INPUT";
    if (!isControl || (event.key === " " && !this.hasTabbed)) return false;
    if (event.key === "Enter" && !this.desk.isStarted && !target.closest(".panel, .help, .stage")) return false;
    if (event.repeat) event.preventDefault();
    return true;
  }

  pressedInField(event, field) {
    const found = actionOf(event, { isTyping: true });
    const isNote = field.classList.contains("note-field");
    const isDone = isNote && event.key === "Enter" && !event.shiftKey;
    if (found === null && !isDone) return;
    if (!this.root.contains(field)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat) return;
    if (field.classList.contains("correction")) return found.action === "commit" ? this.desk.text.commit() : this.desk.text.leave();
    if (!isNote) return field.blur();
    if (isDone && this.desk.pendingOther && field.value.trim() !== "") return this.desk.rejectOther();
    this.desk.leaveNote();
  }

  focused(event) {
    if (!event.target.classList?.contains("note-field") || this.desk.isNoting) return;
    this.desk.isNoting = true;
  }

  stop() {
    this.off.abort();
  }
}

/** Something of the page that wants its own keys. */
export function isInteractive(element) {
  return Boolean(element.closest?.("button, a, input, textarea, select, [role=button], [role=menuitem], [contenteditable=true]"));
}
