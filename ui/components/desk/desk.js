// The desk itself: what keys and clicks decide, what the server answers, and where Streamlit mounts it.
import { applyStates, countToday, decisionLetters, freshId, historyEntry, takenBackText } from "./decisions.js";
import { Keyboard } from "./keyboard.js";
import { helpPanel } from "./panels.js";
import { REJECT_REASONS, approvedAll, approvedTogether, canTick, isLocked, neighbour, nextOpen } from "./targets.js";
import { FILTERS_UNDER, LETTERS_UNDER, Showing } from "./showing.js";

const OWN_SCORE = [null, 0.2, 0.4, 0.6, 0.8, 1.0];

export class Desk extends Showing {
  constructor(root, data) {
    super(root, data);
    this.keyboard = new Keyboard(this);
    void this.load();
  }

  // ---- acting --------------------------------------------------------------------------------------------------

  act(action, value) {
    const acts = {
      start: () => this.start(), enter: () => (this.isStarted ? null : this.start()), reload: () => this.load(), reload_clip: () => this.reloadClip(),
      help: () => this.toggleHelp(), letters: () => this.setLetters(value), escape: () => this.escape(), undo: () => this.undo(), redo: () => this.redo(),
      previous: () => this.step(-1), next: () => this.step(1), show_skipped: () => this.showSkipped(),
    };
    const onVisit = {
      approve: () => this.approve(approvedTogether(this.visit.targets, this.focusId, this.ticks)), approve_all: () => this.approve(approvedAll(this.visit.targets, this.focusId)),
      reject: () => this.reject(), reason: () => this.rejectFor(value), skip: () => this.skip(), flag: () => this.decide("flag", [this.focus]),
      score: () => this.setScore(value), note: () => this.openNote(), note_text: () => this.writeNote(value), tick: () => this.tick(value), focus: () => this.setFocus(value), correct: () => this.text.edit(),
      play: () => (this.isStarted ? this.player.toggle() : this.start()), back: () => this.player.seek(this.player.time_s - 1), forward: () => this.player.seek(this.player.time_s + 1),
      slower: () => this.player.changeSpeed(-1), faster: () => this.player.changeSpeed(1), speed: () => this.player.changeSpeed(this.player.speed >= 1.5 ? -4 : 1), mute: () => this.player.setMuted(!this.player.isMuted),
      loop: () => this.toggleLoop(), sentence: () => this.playSentence(), coverage: () => this.openCoverage(),
      target_up: () => this.setFocus(neighbour(this.visit.targets, this.focusId, -1).mapping_id), target_down: () => this.setFocus(neighbour(this.visit.targets, this.focusId, 1).mapping_id),
    };
    if (acts[action]) acts[action]();
    else if (onVisit[action] && this.visit) onVisit[action]();
  }

  /** Decisions wait for Start (before it nobody has heard anything) and for the clip itself: while it is being read, the one before still stands there. */
  get canDecide() {
    return this.visit !== null && this.isStarted && !this.text.isEditing && this.queue.current?.head.clip_id === this.visit.clip_id;
  }

  approve(targets) {
    if (!this.canDecide || targets.length === 0) return;
    if (isLocked(this.focus, this.draftOf(this.focus).note)) return this.openNote("locked");
    this.decide("approve", targets);
  }

  reject() {
    if (!this.canDecide) return;
    if (this.isRejecting) return this.decide("reject", [this.focus]);
    this.isRejecting = true;
    this.drawCard();
    this.card.body.querySelector(".reasons")?.scrollIntoView({ block: "nearest" });
    this.card.focusDecision(true);
  }

  rejectFor(digit) {
    if (!this.canDecide || !this.isRejecting) return;
    const { reason } = REJECT_REASONS[digit - 1];
    if (reason === "other" && this.draftOf(this.focus).note.trim() === "") return this.openNote("other");
    this.decide("reject", [this.focus], [reason]);
  }

  skip() {
    const targets = this.visit.targets.filter((target) => target.mapping_id === this.focusId || (target.state === "in_review" && target.approved < target.want));
    this.decide("skip", targets);
  }

  decide(decision, targets, reasons = []) {
    if (!this.canDecide) return;
    performance.mark("wordreel:key", { detail: this.visit.clip_id });
    const visit_id = freshId();
    const { visit } = this;
    const head = this.queue.current.head;
    const letters = decisionLetters({ visit, targets, decision, reasons, draftOf: (target) => this.draftOf(target), watched_s: this.player.watched_s, target_plays: this.player.targetPlays, visit_id });
    const staysAt = decision === "reject" || decision === "flag" ? nextOpen(visit.targets, this.focusId) : null;
    const entry = historyEntry({ visit_id, head, targets, decision, reasons, hasEnded: staysAt === null });
    this.history.add(entry);
    this.notice = null;
    this.decidedAt_ms.push(Date.now());
    this.desk.today = countToday(this.desk.today, entry, 1);
    applyStates(this, entry, "after");
    if (staysAt !== null) this.present(this.visits.get(visit.clip_id), this.queue.current, staysAt.mapping_id);
    else this.goOn(entry.outcome);
    this.send(...letters);
  }

  goOn(outcome) {
    this.isLookingBack = false;
    this.isOwnLoop = false;
    const next = this.queue.finish(outcome);
    if (this.queue.isRunningLow) void this.refresh();
    if (next === null) return this.showEnd();
    void this.show();
  }

  undo() {
    const entry = this.history.back();
    if (entry === null) return this.say({ state: "note", icon: "undo", tone: "quiet", text: "Nothing to take back", detail: "No decision of this tab is left to take back.", action: null });
    applyStates(this, entry, "before");
    this.desk.today = countToday(this.desk.today, entry, -1);
    this.queue.reopen(entry.head);
    this.send({ id: freshId(), kind: "undo", path: "/review/undo", body: { visit_id: entry.visit_id }, word: entry.words[0].word, clip_id: entry.head.clip_id, mapping_id: entry.words[0].mapping_id });
    this.say({ state: "undone", icon: "undo", tone: "quiet", text: takenBackText(entry), detail: "You are at that clip again.", action: { label: "Redo", key: "⇧Z", run: () => this.redo() } });
    void this.show(entry.words[0].mapping_id);
  }

  redo() {
    const entry = this.history.forth();
    if (entry === null) return;
    this.notice = null;
    applyStates(this, entry, "after");
    this.desk.today = countToday(this.desk.today, entry, 1);
    this.queue.reopen(entry.head);
    this.send({ id: freshId(), kind: "redo", path: "/review/redo", body: { visit_id: entry.visit_id }, word: entry.words[0].word, clip_id: entry.head.clip_id, mapping_id: entry.words[0].mapping_id });
    if (entry.hasEnded) this.goOn(entry.outcome);
    else void this.show();
  }

  step(direction) {
    this.isLookingBack = true;
    this.isOwnLoop = false;
    this.notice = null;
    if (this.visit === null && this.queue.current && direction < 0) return void this.show(); // from the end back to the last clip
    if (this.queue.step(direction)) void this.show();
  }

  pick(rowId) {
    this.isLookingBack = true;
    this.isOwnLoop = false;
    this.notice = null;
    if (this.queue.goTo(rowId)) void this.show();
  }

  showSkipped() {
    if (this.queue.returnSkipped() > 0) void this.show();
  }

  setFocus(mappingId) {
    this.focusId = mappingId;
    Object.assign(this, { isRejecting: false, isNoting: false, needsNote: false, isOwnLoop: false });
    const { loop, span } = this.loopOf(this.focus);
    this.player.targetSpan = span;
    this.player.setLoop(loop, loop !== null);
    if (loop) this.player.seek(loop.start_s);
    this.drawVisit();
    this.refocus();
  }

  tick(mappingId) {
    const target = this.visit.targets.find((candidate) => candidate.mapping_id === mappingId);
    if (!target || !canTick(target)) return;
    if (!this.ticks.delete(mappingId)) this.ticks.add(mappingId);
    this.drawCard();
  }

  setScore(digit) {
    this.drafts.set(this.focusId, { ...this.draftOf(this.focus), score: OWN_SCORE[digit] });
    this.drawCard();
    this.refocus();
  }

  openNote(need = false) {
    this.isNoting = true;
    this.needsNote = need;
    if (need === "other") this.isRejecting = false;
    this.pendingOther = need === "other";
    this.drawCard();
    this.card.noteField?.focus();
  }

  writeNote(text) {
    const wasShut = isLocked(this.focus, this.draftOf(this.focus).note);
    this.drafts.set(this.focusId, { ...this.draftOf(this.focus), note: text });
    if (wasShut !== isLocked(this.focus, text)) this.card.actions.replaceChildren(...this.card.decisions({ visit: this.visit, focus: this.focus, ticks: this.ticks, draft: this.draftOf(this.focus), isRejecting: this.isRejecting }));
  }

  leaveNote() {
    Object.assign(this, { isNoting: false, needsNote: false, pendingOther: false });
    this.drawCard();
    this.refocus();
  }

  correct(text) {
    this.text.working("Setting the times anew …");
    this.send({ id: freshId(), kind: "transcript", path: `/clips/${encodeURIComponent(this.visit.clip_id)}/transcript`, body: { text, transcript_id: this.visit.transcript_id }, word: this.focus.word, clip_id: this.visit.clip_id, mapping_id: null });
  }

  escape() {
    if (!this.root.querySelector(".help").hidden) return this.toggleHelp();
    if (this.isRejecting) {
      this.isRejecting = false;
      this.drawCard();
      this.refocus();
    }
  }

  toggleHelp() {
    const help = this.root.querySelector(".help");
    help.hidden = !help.hidden;
    if (help.hidden) return this.refocus();
    help.replaceChildren(...helpPanel({ hasLetters: this.hasLetters, act: (action, value) => this.act(action, value) }));
    help.querySelector("[data-testid=desk-help-close]").focus({ preventScroll: true });
  }

  setLetters(isOn) {
    this.hasLetters = isOn;
    localStorage.setItem(LETTERS_UNDER, isOn ? "on" : "off");
  }

  filter(change) {
    this.filters = { ...this.filters, ...change };
    localStorage.setItem(FILTERS_UNDER, JSON.stringify(this.filters));
    void this.load();
  }

  openCoverage() {
    window.location.assign(`${this.data.links.coverage}?word=${encodeURIComponent(this.focus.word)}`);
  }

  async reloadClip() {
    if (this.visit === null) return this.show();
    const { clip_id: clipId } = this.visit;
    this.cueLook = "";
    this.player.release(clipId);
    await this.visits.read(clipId, { isFresh: true });
    if (this.queue.current?.head.clip_id === clipId) await this.show();
  }

  // ---- answers -------------------------------------------------------------------------------------------------

  answered(letter, answer) {
    const isLast = this.outbox.nWaiting === 0;
    for (const item of answer.items ?? (letter.kind === "decision" ? [answer] : [])) {
      this.visits.change(item.mapping_id, (target) => ({ ...target, version: item.version, state: isLast ? item.state : target.state, undecided: isLast ? item.undecided : target.undecided }));
    }
    if (letter.kind === "transcript") void this.corrected(letter.clip_id, answer);
    else this.syncPresent();
    this.refreshSoon();
  }

  syncPresent() {
    if (this.visit) this.visit = this.visits.get(this.visit.clip_id) ?? this.visit;
  }

  async corrected(clipId, answer) {
    const visit = this.visits.get(clipId);
    if (!visit) return;
    this.visits.set({ ...visit, ...answer, timing_note: `timed by ${answer.timed_by}`, is_corrected: true });
    const fresh = await this.visits.read(clipId, { isFresh: true }); // the evidence's word indices may have moved
    if (this.visit?.clip_id !== clipId || this.isGone) return;
    this.visit = fresh ?? this.visits.get(clipId);
    this.drawVisit();
  }

  async refused(letter, refusal) {
    const isConflict = refusal.status === 409;
    const open = { label: "Open", run: () => void this.openClip(letter.clip_id, letter.mapping_id) };
    const row = this.queue.rows.find((candidate) => candidate.head.clip_id === letter.clip_id && candidate.outcome !== null);
    if (row) row.outcome = { kind: "conflict", label: isConflict ? "Conflict" : "Not saved" };
    const entry = letter.kind === "decision" ? this.history.drop(letter.body.visit_id) : null;
    if (entry !== null) this.desk.today = countToday(this.desk.today, entry, -1);
    this.say({ state: isConflict ? "conflict" : "refused", icon: isConflict ? "group" : "error", tone: isConflict ? "warn" : "bad", text: (refusal.message ?? "Not saved").replace(/\.$/, ""), detail: refusal.hint || "Nothing was overwritten.", action: open });
    await this.visits.read(letter.clip_id, { isFresh: true });
    if (this.isGone) return;
    if (letter.kind === "transcript" && this.visit?.clip_id === letter.clip_id) {
      this.syncPresent();
      this.drawVisit();
    } else if (this.desk) this.drawAround();
  }

  async openClip(clipId, mappingId) {
    this.notice = null;
    this.isLookingBack = true;
    const row = this.queue.rows.find((candidate) => candidate.head.clip_id === clipId);
    if (row) this.queue.goTo(row.row_id);
    await this.show(mappingId);
  }

  say(notice) {
    this.notice = notice;
    this.drawSaved();
  }

  rejectOther() {
    this.desk.pendingOther = false;
    this.decide("reject", [this.focus], ["other"]);
  }
}

const mounted = new WeakMap();

/** What Streamlit calls at every mount and whenever data or theme change: one desk a place. */
export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".desk");
  const known = mounted.get(root);
  if (known) {
    known.setData(data);
    known.restyle();
    return known.leave;
  }
  const desk = new Desk(root, data ?? {});
  desk.leave = () => { desk.stop(); mounted.delete(root); };
  mounted.set(root, desk);
  return desk.leave;
}
