// The desk itself: holds the queue, shows a visit, turns keys and clicks into decisions, keeps the next clips ready.
import { Api, Visits } from "./api.js";
import { Bar, Controls } from "./bar.js";
import { Card } from "./card.js";
import { applyStates, countToday, decisionLetters, freshId, historyEntry, paceOf, takenBackText } from "./decisions.js";
import { actionOf, isTypingIn } from "./keys.js";
import { loopAround, sentenceOf, sentenceSpan, wordAt, lastStarted } from "./karaoke.js";
import { endOfQueue, firstStart, helpPanel, stageCue, unreachable } from "./panels.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { History, Outbox } from "./saving.js";
import { REJECT_REASONS, approvedAll, approvedTogether, canTick, isLocked, isOpen, isTickedAtFirst, neighbour, nextOpen } from "./targets.js";
import { applyTheme, canvasColours } from "./theme.js";
import { TranscriptView } from "./transcript.js";
import { Waveform } from "./waveform.js";

const PRELOADED = 3;
const REFRESH_MS = 1500;
const FILTERS_UNDER = "wordreel.desk.filters";
const LETTERS_UNDER = "wordreel.desk.letters";
const OWN_SCORE = [null, 0.2, 0.4, 0.6, 0.8, 1.0];
const DEFAULT_LINKS = { demo: "settings", vocabulary: "discover", library: "library", settings: "settings", discover: "discover", coverage: "coverage" };

export class Desk {
  constructor(root, data) {
    this.root = root;
    this.setData(data);
    this.api = new Api(this.data.api_base);
    this.visits = new Visits(this.api);
    this.queue = new Queue();
    this.history = new History(sessionStorage);
    this.filters = { order: "coverage_gain", ...this.data.filters, ...JSON.parse(localStorage.getItem(FILTERS_UNDER) ?? "{}") };
    this.hasLetters = localStorage.getItem(LETTERS_UNDER) !== "off";
    this.drafts = new Map();
    this.decidedAt_ms = [];
    Object.assign(this, { desk: null, visit: null, focusId: null, ticks: new Set(), isStarted: false, isRejecting: false, isNoting: false, needsNote: false, notice: null, hasTabbed: false, isGone: false });
    const act = (action, value) => this.act(action, value);
    this.bar = new Bar({ root, act });
    this.controls = new Controls({ root, act });
    this.card = new Card({ root, act });
    this.rail = new Rail({ root, onPick: (rowId) => this.pick(rowId), onFilter: (change) => this.filter(change) });
    this.text = new TranscriptView({ root, onSeek: (time_s) => this.seekWord(time_s), onSave: (text) => this.correct(text), onLeave: () => this.refocus() });
    this.wave = new Waveform({ root, colours: () => canvasColours(root), onSeek: (time_s) => this.player.seek(time_s), onLoop: (loop) => this.setLoop(loop) });
    this.player = new Player({ stage: root.querySelector(".stage"), onTime: (time_s) => this.atTime(time_s), onState: () => this.playerChanged() });
    this.outbox = new Outbox({ storage: sessionStorage, post: (path, body) => this.api.ask(path, body), onChange: () => this.drawSaved(), onAnswer: (letter, answer) => this.answered(letter, answer), onRefused: (letter, refusal) => void this.refused(letter, refusal) });
    this.listen();
    applyTheme(root);
    void this.load();
  }

  setData(data) {
    this.data = { api_base: "/api", filters: {}, ...data, links: { ...DEFAULT_LINKS, ...data?.links } };
  }

  // ---- reading -------------------------------------------------------------------------------------------------

  async load() {
    void this.outbox.flush();
    let answer;
    try {
      answer = await this.api.desk(this.filters);
    } catch {
      answer = { status: 0, body: { message: "The desk could not be read", hint: "The server does not answer. Is Wordreel still running?" } };
    }
    if (this.isGone) return;
    if (answer.status !== 200) return this.showPanel(unreachable({ message: answer.body.message, hint: answer.body.hint ?? "", act: (action) => this.act(action) }));
    this.desk = answer.body;
    const waiting = new Set(this.outbox.letters.filter((letter) => letter.kind === "decision").map((letter) => letter.clip_id));
    this.queue = new Queue(this.desk.visits.filter((head) => !waiting.has(head.clip_id)));
    this.beyond = Math.max(0, this.desk.total - this.desk.visits.length);
    this.rail.drawHead(this.desk, this.filters, this.nOpen);
    await this.show();
  }

  get nOpen() {
    return this.queue.nOpen + (this.beyond ?? 0);
  }

  /** Read the queue's newer order once all is saved, and keep what is loaded. */
  refreshSoon() {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = setTimeout(async () => {
      if (this.outbox.nWaiting > 0 || this.isGone) return;
      const answer = await this.api.desk(this.filters).catch(() => null); // the outbox already says when the server is away
      if (answer?.status !== 200 || this.outbox.nWaiting > 0 || this.isGone) return;
      this.desk = answer.body;
      this.queue.merge(this.desk.visits, PRELOADED);
      this.beyond = Math.max(0, this.desk.total - this.desk.visits.length);
      if (this.visit === null && this.queue.nOpen > 0) await this.show();
      this.drawAround();
      this.preload();
    }, REFRESH_MS);
  }

  // ---- showing -------------------------------------------------------------------------------------------------

  /** Show the present row. At once where the clip is held; otherwise as soon as it has been read. */
  async show(focusId = null) {
    const row = this.queue.current;
    if (row === null || (row.outcome !== null && this.queue.nOpen === 0 && !this.isLookingBack)) return this.showEnd();
    let visit = this.visits.get(row.head.clip_id);
    if (visit === null) {
      this.root.dataset.view = this.visit === null ? "waiting" : "desk";
      this.rail.draw(this.queue, this.nOpen);
      visit = await this.visits.read(row.head.clip_id);
      if (this.isGone || this.queue.current !== row) return;
      if (visit === null) return this.showPanel(unreachable({ message: `The clip for “${row.head.word}” could not be read`, hint: "It stays in the queue.", act: (action) => this.act(action) }));
    }
    if (!this.isStarted && this.isFirstEver()) return this.showFirst(visit, row);
    this.present(visit, row, focusId);
  }

  isFirstEver() {
    return this.desk.today.decided === 0 && this.data.has_decided !== true && this.history.done.length === 0 && localStorage.getItem("wordreel.desk.begun") === null;
  }

  present(visit, row, focusId) {
    this.root.dataset.view = "desk";
    this.visit = visit;
    const wanted = focusId ?? row.head.mapping_id;
    const first = visit.targets.find((target) => target.mapping_id === wanted && isOpen(target)) ?? visit.targets.find(isOpen) ?? visit.targets.find((target) => target.mapping_id === wanted) ?? visit.targets[0];
    this.focusId = first.mapping_id;
    this.ticks = new Set(visit.targets.filter((target) => isTickedAtFirst(target, visit.words)).map((target) => target.mapping_id));
    Object.assign(this, { isRejecting: false, isNoting: false, needsNote: false });
    const { loop, span } = this.loopOf(first);
    this.player.prepare(visit, loop?.start_s ?? 0);
    this.player.show(visit.clip_id, { loop, span, isPlaying: this.isStarted });
    this.root.querySelector(".stage").dataset.clipId = visit.clip_id;
    this.drawVisit();
    this.refocus();
    this.preload();
  }

  /** The loop around a word: one second on each side; the whole clip where the word is not heard. */
  loopOf(target) {
    const span = target.evidence.occurrences[0] ?? null;
    return { span, loop: span ? loopAround(span, this.visit.duration_s) : null };
  }

  get focus() {
    return this.visit?.targets.find((target) => target.mapping_id === this.focusId) ?? null;
  }

  draftOf(target) {
    return this.drafts.get(target.mapping_id) ?? { score: target.score, note: target.note ?? "" };
  }

  drawVisit() {
    this.bar.drawWord(this.focus);
    this.text.show(this.visit, this.focusId);
    this.drawCard();
    this.drawLoop();
    this.drawAround();
    this.playerChanged();
    this.atTime(this.player.time_s);
  }

  drawCard() {
    const state = { visit: this.visit, focus: this.focus, ticks: this.ticks, draft: this.draftOf(this.focus), isRejecting: this.isRejecting, isNoting: this.isNoting, needsNote: this.needsNote, rules: this.desk.rules };
    this.card.draw(state);
  }

  drawLoop() {
    this.wave.show(this.visit, this.focus, this.player.loop, this.player.isLooping);
    const text = !this.player.isLooping ? "" : this.isOwnLoop ? "Loop, as set" : "Loop, 1 s each side";
    this.bar.drawPlates(this.visit, text);
  }

  drawAround() {
    this.rail.draw(this.queue, this.nOpen);
    const { place, total } = this.queue.place;
    this.bar.drawPlace(place, total + (this.beyond ?? 0), paceOf(this.decidedAt_ms, Date.now()) ?? this.desk.today.per_minute);
    this.bar.drawFoot(this.desk, this.advice());
    this.drawSaved();
  }

  /** The one line of help at the foot: what matters for this clip, or what was just said beside the dot. */
  advice() {
    if (this.notice?.detail) return { icon: this.notice.icon, text: this.notice.detail };
    if (!this.focus) return { icon: "menu_book", text: "" };
    if (this.focus.evidence.state === "captioned") return { icon: "menu_book", text: "Not sure that you hear it? Reject as not heard:", keys: ["X", "1"] };
    if (this.focus.evidence.state === "not_heard") return { icon: "menu_book", text: "Nobody says it here. Reject as not heard:", keys: ["X", "1"] };
    if (!isOpen(this.focus)) return { icon: "history", text: `Decided already: ${this.focus.state.replaceAll("_", " ")}. A new decision replaces it, both stay in the history.` };
    return { icon: "menu_book", text: "Approve when picture or line makes the meaning plain." };
  }

  drawSaved() {
    const retry = { label: "Try now", run: () => void this.outbox.flush() };
    this.bar.drawSaved({ state: this.outbox.state, nWaiting: this.outbox.nWaiting, retry }, this.notice);
    if (this.desk) this.bar.drawFoot(this.desk, this.advice());
  }

  showPanel(panel) {
    this.player.pause();
    this.visit = null;
    this.root.dataset.view = "panel";
    this.root.querySelector(".panel").replaceChildren(panel);
    if (this.desk) this.drawAround();
  }

  showFirst(visit, row) {
    this.visits.set(visit);
    const focused = { ...visit, targets: [...visit.targets].sort((left, right) => Number(right.mapping_id === row.head.mapping_id) - Number(left.mapping_id === row.head.mapping_id)) };
    this.player.prepare(visit, 0);
    this.root.dataset.view = "first";
    this.root.querySelector(".panel").replaceChildren(firstStart({ desk: this.desk, visit: focused, data: this.data, act: (action) => this.act(action) }));
    this.root.querySelector(".begin").focus({ preventScroll: true });
    this.player.release(visit.clip_id);
    this.preload();
  }

  showEnd() {
    const isUntouched = this.queue.rows.length === 0;
    this.showPanel(endOfQueue({ desk: this.desk, nSkipped: this.queue.skipped.length + (isUntouched ? this.desk.skipped : 0), isUntouched, data: this.data, act: (action) => this.act(action) }));
    this.root.dataset.view = isUntouched ? "panel" : "end";
    this.refreshSoon();
  }

  /** Hold the next clips: their visits read, their films decoded at the start of the loop. */
  preload() {
    const next = this.queue.upcoming(PRELOADED);
    const before = this.queue.rows[this.queue.position - 1];
    this.player.keep(new Set([...next, before].filter(Boolean).map((row) => row.head.clip_id)));
    for (const row of next) {
      void this.visits.read(row.head.clip_id).then((visit) => {
        if (visit === null || this.isGone || !this.queue.upcoming(PRELOADED).some((wanted) => wanted.head.clip_id === visit.clip_id)) return;
        const target = visit.targets.find((candidate) => candidate.mapping_id === row.head.mapping_id) ?? visit.targets[0];
        const span = target.evidence.occurrences[0];
        this.player.prepare(visit, span ? loopAround(span, visit.duration_s).start_s : 0);
      });
    }
    this.drawPreload();
  }

  drawPreload() {
    const next = this.queue.upcoming(PRELOADED);
    this.rail.drawFoot(next.filter((row) => this.player.slots.get(row.head.clip_id)?.state === "ready").length, next.length);
  }

  // ---- playing -------------------------------------------------------------------------------------------------

  atTime(time_s) {
    if (!this.visit) return;
    this.text.light(wordAt(this.visit.words, time_s));
    this.wave.at(time_s);
    this.controls.clock(time_s, this.visit.duration_s);
  }

  playerChanged() {
    if (!this.controls) return;
    this.controls.draw(this.player);
    this.drawPreload();
    if (!this.visit) return;
    const fault = this.player.slot?.state === "failed" ? this.player.slot.fault : "";
    const look = `${fault}|${this.isStarted}|${this.visit.clip_id}`;
    if (look === this.cueLook) return;
    this.cueLook = look;
    const cue = stageCue({ fault, isStarted: this.isStarted, visit: this.visit, act: (action) => this.act(action) });
    this.root.querySelector(".cue").replaceChildren(...(cue ? [cue] : []));
  }

  start() {
    this.isStarted = true;
    localStorage.setItem("wordreel.desk.begun", "yes");
    this.player.unlock();
    if (this.visit === null) return void this.show();
    this.player.play();
    this.refocus();
  }

  seekWord(time_s) {
    this.player.stopAt_s = null;
    this.player.seek(time_s + 0.001);
  }

  setLoop(loop) {
    this.isOwnLoop = true;
    this.player.setLoop(loop, true);
    this.drawLoop();
  }

  toggleLoop() {
    const { loop } = this.loopOf(this.focus);
    this.isOwnLoop = false;
    const isOn = !this.player.isLooping && loop !== null;
    this.player.setLoop(loop, isOn);
    if (isOn) {
      this.player.seek(loop.start_s);
      if (this.isStarted) this.player.play();
    }
    this.drawLoop();
    this.playerChanged();
  }

  playSentence() {
    const { words, sentences } = this.visit;
    const index = Math.max(0, lastStarted(words, this.player.time_s), 0);
    const sentence = sentences[Math.max(0, sentenceOf(sentences, index))];
    if (sentence) this.player.playOnce(sentenceSpan(words, sentence));
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

  /** Decisions wait for Start: before it nobody has heard anything. */
  get canDecide() {
    return this.visit !== null && this.isStarted && !this.text.isEditing;
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
    this.outbox.add(...letters);
  }

  goOn(outcome) {
    this.isLookingBack = false;
    this.isOwnLoop = false;
    if (this.queue.finish(outcome) === null) return this.showEnd();
    void this.show();
  }

  undo() {
    const entry = this.history.back();
    if (entry === null) return this.say({ state: "note", icon: "undo", tone: "quiet", text: "Nothing to take back", detail: "No decision was made in this tab.", action: null });
    applyStates(this, entry, "before");
    this.desk.today = countToday(this.desk.today, entry, -1);
    this.queue.reopen(entry.head);
    this.outbox.add({ id: freshId(), kind: "undo", path: "/review/undo", body: { visit_id: entry.visit_id }, word: entry.words[0].word, clip_id: entry.head.clip_id, mapping_id: entry.words[0].mapping_id });
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
    this.outbox.add({ id: freshId(), kind: "redo", path: "/review/redo", body: { visit_id: entry.visit_id }, word: entry.words[0].word, clip_id: entry.head.clip_id, mapping_id: entry.words[0].mapping_id });
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
    this.outbox.add({ id: freshId(), kind: "transcript", path: `/clips/${encodeURIComponent(this.visit.clip_id)}/transcript`, body: { text, transcript_id: this.visit.transcript_id }, word: this.focus.word, clip_id: this.visit.clip_id, mapping_id: null });
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
    const { clip_id: clipId } = this.visit;
    this.cueLook = "";
    this.player.release(clipId);
    await this.visits.read(clipId, { isFresh: true });
    if (this.queue.current?.head.clip_id === clipId) await this.show();
  }

  // ---- answers -------------------------------------------------------------------------------------------------

  answered(letter, answer) {
    for (const item of answer.items ?? (letter.kind === "decision" ? [answer] : [])) this.visits.change(item.mapping_id, (target) => ({ ...target, version: item.version, state: this.hasQueued(item.mapping_id) ? target.state : item.state }));
    if (letter.kind === "transcript") this.corrected(letter.clip_id, answer);
    else this.syncPresent();
    this.refreshSoon();
  }

  hasQueued(mappingId) {
    return this.outbox.letters.length > 0 || this.history.done.slice(-1)[0]?.words.some((word) => word.mapping_id === mappingId);
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
    this.say({ state: isConflict ? "conflict" : "refused", icon: isConflict ? "group" : "error", tone: isConflict ? "warn" : "bad", text: (refusal.message ?? "Not saved").replace(/\.$/, ""), detail: refusal.hint || "Nothing was overwritten.", action: open });
    await this.visits.read(letter.clip_id, { isFresh: true });
    if (letter.kind === "transcript" && this.visit?.clip_id === letter.clip_id) this.syncPresent(), this.drawVisit();
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

  // ---- keys and focus ------------------------------------------------------------------------------------------

  listen() {
    this.off = new AbortController();
    const { signal } = this.off;
    window.addEventListener("keydown", (event) => this.pressed(event), { capture: true, signal });
    window.addEventListener("online", () => void this.outbox.flush(), { signal });
    window.addEventListener("beforeunload", (event) => { if (this.outbox.nWaiting > 0) event.preventDefault(); }, { signal });
    this.root.addEventListener("focusin", (event) => this.focused(event), { signal });
    this.root.addEventListener("focusout", (event) => { if (event.target.classList?.contains("note-field") && this.isNoting && event.relatedTarget !== null) this.leaveNote(); }, { signal });
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
    const found = actionOf(event, { isRejecting: this.isRejecting, hasLetters: this.hasLetters });
    if (found === null) return;
    if (found.action === "enter" && this.isStarted) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat) return; // a held key counts once
    this.act(found.action, found.value);
  }

  /** Space and Enter press a button that was reached with Tab; elsewhere Space plays. */
  pressesButton(event, target) {
    const isControl = target.tagName === "BUTTON" || target.tagName === "A" || target.tagName === "INPUT";
    if (!isControl || (event.key === " " && !this.hasTabbed)) return false;
    if (event.key === "Enter" && !this.isStarted && !target.closest(".panel, .help, .stage")) return false;
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
    if (field.classList.contains("correction")) return found.action === "commit" ? this.text.commit() : this.text.leave();
    if (!isNote) return field.blur();
    if (isDone && this.pendingOther && field.value.trim() !== "") return this.rejectOther();
    this.leaveNote();
  }

  rejectOther() {
    this.pendingOther = false;
    this.decide("reject", [this.focus], ["other"]);
  }

  focused(event) {
    if (!event.target.classList?.contains("note-field") || this.isNoting) return;
    this.isNoting = true;
  }

  /** Give the focus to the open decision, unless someone is somewhere else on the page. */
  refocus() {
    this.hasTabbed = false;
    const active = document.activeElement;
    const isElsewhere = active && active !== document.body && active !== this.root.getRootNode().host && !this.root.contains(active) && isInteractive(active);
    if (isElsewhere || !this.visit || this.text.isEditing) return;
    this.card.focusDecision(isLocked(this.focus, this.draftOf(this.focus).note));
  }

  restyle() {
    applyTheme(this.root);
    this.wave.draw();
  }

  stop() {
    if (this.isGone) return;
    this.isGone = true;
    this.off.abort();
    clearTimeout(this.refreshTimer);
    this.outbox.stop();
    this.wave.stop();
    this.player.stop();
  }
}

function isInteractive(element) {
  return Boolean(element.closest?.("button, a, input, textarea, select, [role=button], [role=menuitem], [contenteditable=true]"));
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
