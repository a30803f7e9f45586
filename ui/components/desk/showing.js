// What the desk holds and shows: the queue and its visits, the clip in focus, the film at its loop, the next clips loaded.
import { Api, Visits } from "./api.js";
import { Bar, Controls } from "./bar.js";
import { Card } from "./card.js";
import { paceOf } from "./decisions.js";
import { loopAround, sentenceOf, sentenceSpan, wordAt, lastStarted } from "./karaoke.js";
import { isInteractive } from "./keyboard.js";
import { endOfQueue, firstStart, moreOfQueue, stageCue, unreachable } from "./panels.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { History, Outbox } from "./saving.js";
import { isLocked, isOpen, isTickedAtFirst } from "./targets.js";
import { applyTheme, canvasColours } from "./theme.js";
import { TranscriptView } from "./transcript.js";
import { Waveform } from "./waveform.js";

const PRELOADED = 3;
const HELD_FILMS = 8;
const PRELOAD_AFTER_MS = 120;
const REFRESH_MS = 1500;
const MORE_MS = 4000;
const BEGUN_UNDER = "wordreel.desk.begun";
export const FILTERS_UNDER = "wordreel.desk.filters";
export const LETTERS_UNDER = "wordreel.desk.letters";
const DEFAULT_LINKS = { demo: "settings", vocabulary: "discover", library: "library", settings: "settings", discover: "discover", coverage: "coverage" };

/** The half of the desk that reads and shows; `Desk` adds what keys decide. */
export class Showing {
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
    Object.assign(this, { desk: null, visit: null, focusId: null, ticks: new Set(), isStarted: false, isRejecting: false, isNoting: false, needsNote: false, notice: null, isGone: false, isRefreshing: false, moving: null });
    const act = (action, value) => this.act(action, value);
    this.bar = new Bar({ root, act });
    this.controls = new Controls({ root, act });
    this.card = new Card({ root, act });
    this.rail = new Rail({ root, onPick: (rowId) => this.pick(rowId), onFilter: (change) => this.filter(change) });
    this.text = new TranscriptView({ root, onSeek: (time_s) => this.seekWord(time_s), onSave: (text) => this.correct(text), onLeave: () => this.refocus() });
    this.wave = new Waveform({ root, colours: () => canvasColours(root), onSeek: (time_s) => this.player.seek(time_s), onLoop: (loop) => this.setLoop(loop) });
    this.player = new Player({ stage: root.querySelector(".stage"), onTime: (time_s) => this.atTime(time_s), onState: () => this.playerChanged() });
    this.outbox = new Outbox({ storage: sessionStorage, post: (path, body) => this.api.ask(path, body), onChange: () => this.drawSaved(), onAnswer: (letter, answer) => this.answered(letter, answer), onRefused: (letter, refusal) => void this.refused(letter, refusal) });
    applyTheme(root);
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
    const heads = this.desk.visits.filter((head) => !waiting.has(head.clip_id));
    this.queue = new Queue(heads, this.desk.total - (this.desk.visits.length - heads.length));
    this.rail.drawHead(this.desk, this.filters, this.queue.nOpen);
    await this.show();
  }

  /** Read the queue's newer order once all is saved, and keep what is loaded. */
  refreshSoon() {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = setTimeout(() => { if (this.outbox.nWaiting === 0) void this.readMore(); }, REFRESH_MS);
  }

  /**
   * Read the queue's newer order now and keep what is loaded. Decisions may be on their way meanwhile: their clips stay as they are here.
   * @returns {Promise<boolean>} false where the server did not give it
   */
  async refresh() {
    if (this.isRefreshing || this.isGone) return true;
    this.isRefreshing = true;
    this.moving = new Set(this.outbox.letters.map((letter) => letter.clip_id));
    const { filters } = this;
    const answer = await this.api.desk(filters).catch(() => null); // the outbox already says when the server is away
    this.isRefreshing = false;
    if (this.isGone || filters !== this.filters) return true;
    if (answer?.status !== 200) return false;
    this.desk = { ...answer.body, today: this.moving.size > 0 ? this.desk.today : answer.body.today };
    this.queue.merge(this.desk.visits, { total: this.desk.total, held: PRELOADED, moving: this.moving });
    if (this.visit === null && this.queue.nOpen > 0) await this.showNext();
    this.drawAround();
    this.preload();
    return true;
  }

  /** From a panel on to the next clip that waits; a clip that was decided is not shown again. */
  async showNext() {
    const isOpen = this.queue.current !== null && this.queue.current.outcome === null;
    if (isOpen || this.queue.advance() !== null) return this.show();
    clearTimeout(this.refreshTimer); // all that the server named is on its way to it; what comes after is named once it knows
    this.refreshTimer = setTimeout(() => void this.readMore(), REFRESH_MS);
  }

  /** Read on, and say so on the page where that fails and nothing else can be shown. */
  async readMore() {
    const isRead = await this.refresh();
    if (isRead || this.isGone || this.visit !== null || this.queue.beyond === 0) return;
    this.showPanel(unreachable({ message: "The next clips could not be read", hint: "The server does not answer. Is Wordreel still running?", act: (action) => this.act(action) }));
  }

  /** Letters go out through here: a newer order of the queue that is being read meanwhile leaves their clips alone. */
  send(...letters) {
    for (const letter of letters) this.moving?.add(letter.clip_id);
    this.outbox.add(...letters);
  }

  // ---- showing -------------------------------------------------------------------------------------------------

  /** Show the present row. At once where the clip is held; otherwise as soon as it has been read. */
  async show(focusId = null) {
    const row = this.queue.current;
    if (row === null || (row.outcome !== null && this.queue.nOpen === 0 && !this.isLookingBack)) return this.showEnd();
    let visit = this.visits.get(row.head.clip_id);
    if (visit === null) {
      this.root.dataset.view = this.visit === null ? "waiting" : "desk";
      this.rail.draw(this.queue, this.queue.nOpen);
      visit = await this.visits.read(row.head.clip_id);
      if (this.isGone || this.queue.current !== row) return;
      if (visit === null) return this.showPanel(unreachable({ message: `The clip for “${row.head.word}” could not be read`, hint: "It stays in the queue.", act: () => this.act("reload_clip") }));
    }
    if (!this.isStarted && this.isFirstEver()) return this.showFirst(visit, row);
    this.present(visit, row, focusId);
  }

  isFirstEver() {
    return this.desk.today.decided === 0 && this.data.has_decided !== true && this.history.done.length === 0 && localStorage.getItem(BEGUN_UNDER) === null;
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
    if (this.player.slots.size > HELD_FILMS) this.player.keep(this.near); // keys come faster than the preloading that tidies up
    this.root.querySelector(".stage").dataset.clipId = visit.clip_id;
    this.drawVisit();
    this.refocus();
    this.preloadSoon();
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
    this.rail.draw(this.queue, this.queue.nOpen);
    const { place, total } = this.queue.place;
    this.bar.drawPlace(place, total, paceOf(this.decidedAt_ms, Date.now()) ?? this.desk.today.per_minute);
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
    this.root.dataset.view = "first";
    this.root.querySelector(".panel").replaceChildren(firstStart({ desk: this.desk, visit: focused, data: this.data, act: (action) => this.act(action) }));
    this.drawAround();
    this.root.querySelector(".begin").focus({ preventScroll: true });
    this.preload();
  }

  /** No held row is left: the end of the queue, or the way to what only the server has. */
  showEnd() {
    if (this.queue.beyond > 0) return this.showMore();
    const isUntouched = this.queue.rows.length === 0;
    this.showPanel(endOfQueue({ desk: this.desk, nSkipped: this.queue.skipped.length + (isUntouched ? this.desk.skipped : 0), isUntouched, data: this.data, act: (action) => this.act(action) }));
    this.root.dataset.view = isUntouched ? "panel" : "end";
    this.refreshSoon();
    this.awaitMore();
  }

  /** A run may still bring clips: while nothing waits and somebody looks, the server is asked now and then. */
  awaitMore() {
    clearTimeout(this.moreTimer);
    this.moreTimer = setTimeout(() => {
      if (this.isGone || this.visit !== null || this.root.querySelector("[data-testid=desk-empty]") === null) return;
      if (!document.hidden && this.outbox.nWaiting === 0) void this.refresh();
      this.awaitMore();
    }, MORE_MS);
  }

  /** What was held is decided, and the server has more: it is read now, and comes up by itself. */
  showMore() {
    this.showPanel(moreOfQueue(this.queue.beyond));
    this.root.dataset.view = "more";
    void this.readMore();
  }

  /** Leave the machine to the clip that was just shown; loading the ones after it can wait for its first frames. */
  preloadSoon() {
    clearTimeout(this.preloadTimer);
    this.preloadTimer = setTimeout(() => this.preload(), PRELOAD_AFTER_MS);
    this.drawPreload();
  }

  /** The clips whose films are held: those that come next, and the one before. */
  get near() {
    const rows = [...this.queue.upcoming(PRELOADED), this.queue.rows[this.queue.position - 1]];
    return new Set(rows.filter(Boolean).map((row) => row.head.clip_id));
  }

  /** Hold the next clips: their visits read, their films decoded at the start of the loop. */
  preload() {
    const next = this.queue.upcoming(PRELOADED);
    this.player.rewind();
    this.player.keep(this.near);
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
    const nReady = next.filter((row) => this.player.slots.get(row.head.clip_id)?.state === "ready").length;
    this.rail.drawFoot(nReady, next.length);
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
    localStorage.setItem(BEGUN_UNDER, "yes");
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

  /** Give the focus to the open decision, unless someone is somewhere else on the page. */
  refocus() {
    this.keyboard.hasTabbed = false;
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
    this.keyboard.stop();
    clearTimeout(this.refreshTimer);
    clearTimeout(this.moreTimer);
    clearTimeout(this.preloadTimer);
    this.outbox.stop();
    this.wave.stop();
    this.player.stop();
  }
}
