// The transcript under the film: the spoken word lit, targets boxed, doubt dotted; and the lines in which the sources differ.
import { marksOf, sentenceOf, isUnsure } from "./karaoke.js";
import { parted, compareLines, around, runsOf } from "./compare.js";
import { h, icon, button, seconds, setText } from "./dom.js";

const SCROLL_MS = 160;
const TABS = [["transcript", "Transcript"], ["compare", "Compare"], ["timing", "Timing"]];

export class TranscriptView {
  /** @param {{root: ParentNode, onSeek: (time_s: number, index: number) => void, onSave: (text: string) => void, onLeave: () => void}} parts */
  constructor({ root, onSeek, onSave, onLeave }) {
    Object.assign(this, { onSeek, onSave, onLeave });
    this.pane = root.querySelector(".words");
    this.lines = root.querySelector(".compare");
    this.tabs = root.querySelector(".tabs");
    this.note = root.querySelector(".timing-note");
    this.tab = "transcript";
    this.lit = -1;
    this.sentence = -1;
    this.isHovered = false;
    this.pane.addEventListener("mouseenter", () => { this.isHovered = true; });
    this.pane.addEventListener("mouseleave", () => { this.isHovered = false; });
    this.pane.addEventListener("click", (event) => this.clicked(event));
    this.pane.addEventListener("keydown", (event) => this.walked(event));
    this.drawTabs();
  }

  get isEditing() {
    return this.field !== undefined && this.field !== null;
  }

  drawTabs() {
    this.tabs.replaceChildren(...TABS.map(([name, label]) => button({
      class: "tab", role: "tab", "aria-selected": String(this.tab === name), "data-testid": `desk-tab-${name}`,
      on: { click: () => { this.tab = name; this.drawTabs(); this.redraw(); } },
    }, label)));
  }

  /** Show a visit from its first line, with its targets marked. */
  show(visit, focusId) {
    this.field = null;
    this.visit = visit;
    this.focusId = focusId;
    this.redraw();
    this.pane.scrollTop = 0;
    this.follow(this.sentenceOfFocus(), true);
  }

  redraw() {
    const { visit } = this;
    if (!visit) return;
    this.lit = -1;
    this.sentence = -1;
    this.spans = [];
    this.pane.dataset.tab = this.tab;
    if (this.tab === "timing") this.drawTiming();
    else if (this.tab === "compare") this.drawWholeLines();
    else this.drawWords();
    const isDashed = visit.targets.some((target) => target.mapping_id === this.focusId && target.evidence.state === "captioned");
    setText(this.note, `${visit.is_corrected ? "corrected · " : ""}${isDashed ? "dashed: time from the caption" : visit.timing_note}`);
    this.drawCompare();
  }

  drawWords() {
    const marks = marksOf(this.visit.words, this.visit.targets, this.focusId);
    const sentences = this.visit.sentences.length > 0 ? this.visit.sentences : [[0, this.visit.words.length]];
    this.sentenceNodes = sentences.map(([first, end]) => {
      const node = h("span", { class: "sentence" });
      for (let index = first; index < end; index += 1) {
        const { before, core, after } = parted(this.visit.words[index].text);
        this.spans[index] = this.wordButton(core, index, marks[index], after !== "");
        node.append(before, this.spans[index], after, " ");
      }
      return node;
    });
    this.pane.replaceChildren(h("p", { class: "spoken", lang: "en" }, ...this.sentenceNodes));
    this.rove(this.spans.findIndex((_, index) => marks[index].box === "target"));
  }

  wordButton(text, index, mark, hasTail) {
    const word = this.visit.words[index];
    const about = [mark.box === "target" ? "target" : mark.box === "teaches" ? "also teaches" : "", mark.isCaptioned && mark.box ? "captioned only" : "", mark.isUnsure ? "unsure" : ""];
    const classes = ["word", mark.box, mark.isCaptioned ? "dashed" : "", mark.isUnsure ? "unsure" : "", hasTail ? "tail" : ""].filter(Boolean).join(" ");
    const said = about.filter(Boolean).join(", ");
    return h("button", {
      type: "button", class: classes, tabindex: "-1", data: { wordIndex: String(index), lit: "false" }, "data-testid": "desk-word",
      title: mark.isUnsure ? (word.fault ? `unsure: ${word.fault}` : `unsure, p ${seconds(word.probability)}`) : null, "aria-label": said ? `${text}, ${said}` : null,
      on: { mousedown: (event) => event.preventDefault() },
    }, text);
  }

  drawTiming() {
    const rows = this.visit.words.map((word, index) => {
      const row = h("tr", { data: { wordIndex: String(index) }, class: isUnsure(word) ? "doubtful" : "" },
        h("td", {}, word.text), h("td", {}, seconds(word.start_s)), h("td", {}, seconds(word.end_s)),
        h("td", {}, word.probability === null ? "–" : seconds(word.probability)), h("td", {}, word.timed_by + (word.is_pronunciation_guessed ? ", sounds guessed" : "")), h("td", {}, word.fault ?? ""));
      this.spans[index] = row;
      return row;
    });
    this.sentenceNodes = [];
    const heads = ["Word", "Start", "End", "p", "Timed by", "Fault"].map((label) => h("th", { scope: "col" }, label));
    this.pane.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)));
  }

  drawWholeLines() {
    this.sentenceNodes = [];
    const sources = [["Spoken text", this.visit.words.map((word) => word.text).join(" ")], ["Captions", this.visit.captions], ["Recognition", this.visit.recognition], ["Judge", this.visit.judge_text]];
    this.pane.replaceChildren(h("dl", { class: "sources" }, ...sources.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text || "–")])));
  }

  drawCompare() {
    const lines = this.tab === "compare" ? [] : compareLines(this.visit);
    this.lines.hidden = lines.length === 0;
    this.lines.replaceChildren(...lines.map((line) => h("div", { class: "line", "data-testid": "desk-compare-line" },
      icon(line.icon, 18), h("span", { class: "source" }, line.source),
      h("span", { class: "said" }, ...runsOf(around(line.parts)).flatMap((run) => [run.differs ? h("mark", {}, run.text) : run.text, " "])),
      h("span", { class: `aside ${line.tone}` }, line.aside))));
  }

  /** Light one word; -1 puts the light out. Called at every frame, so it touches the page only on a change. */
  light(index) {
    if (index === this.lit || this.isEditing) return;
    const before = this.spans?.[this.lit];
    const now = this.spans?.[index];
    if (before) before.dataset.lit = "false";
    if (now) now.dataset.lit = "true";
    this.lit = index;
    if (index >= 0) this.follow(sentenceOf(this.visit.sentences, index), false);
  }

  sentenceOfFocus() {
    const focus = this.visit.targets.find((target) => target.mapping_id === this.focusId);
    const found = focus?.evidence.occurrences[0];
    return found ? sentenceOf(this.visit.sentences, found.word_index) : 0;
  }

  /** Bring the present sentence to the second line; the view rests while the pointer is on it. */
  follow(sentence, isAtOnce) {
    if (sentence < 0 || sentence === this.sentence) return;
    this.sentenceNodes?.[this.sentence]?.classList.remove("present");
    this.sentence = sentence;
    const node = this.sentenceNodes?.[sentence];
    if (!node) return;
    node.classList.add("present");
    this.fit();
    if (this.isHovered && !isAtOnce) return;
    const line_px = parseFloat(getComputedStyle(this.pane).lineHeight) || 38;
    const line = Math.round((node.getClientRects()[0].top - this.pane.firstElementChild.getBoundingClientRect().top) / line_px);
    this.scrollTo(Math.max(0, line - 1) * line_px, isAtOnce || matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  /** Where the text is longer than the pane, show whole lines and half of the next. */
  fit() {
    this.pane.style.maxHeight = "";
    if (this.tab !== "transcript" || this.pane.scrollHeight <= this.pane.clientHeight + 2) return;
    const line_px = parseFloat(getComputedStyle(this.pane).lineHeight) || 38;
    const lines = Math.max(1, Math.floor(this.pane.clientHeight / line_px - 0.5));
    this.pane.style.maxHeight = `${(lines + 0.5) * line_px}px`;
  }

  scrollTo(top_px, isAtOnce) {
    cancelAnimationFrame(this.motion);
    if (isAtOnce) { this.pane.scrollTop = top_px; return; }
    const [from_px, begun_ms] = [this.pane.scrollTop, performance.now()];
    const move = (now_ms) => {
      const share = Math.min(1, (now_ms - begun_ms) / SCROLL_MS);
      this.pane.scrollTop = from_px + (top_px - from_px) * (1 - (1 - share) ** 2);
      if (share < 1) this.motion = requestAnimationFrame(move);
    };
    this.motion = requestAnimationFrame(move);
  }

  clicked(event) {
    const node = event.target.closest("[data-word-index]");
    if (!node || this.isEditing) return;
    const index = Number(node.dataset.wordIndex);
    this.rove(index);
    this.onSeek(this.visit.words[index].start_s, index);
  }

  /** Words are one stop for Tab; left and right walk among them, Enter seeks. */
  walked(event) {
    const index = this.spans?.indexOf(event.target) ?? -1;
    if (index < 0 || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const wanted = index + (event.key === "ArrowRight" ? 1 : -1);
    event.stopPropagation();
    event.preventDefault();
    if (this.spans[wanted]) { this.rove(wanted); this.spans[wanted].focus(); }
  }

  rove(index) {
    const wanted = index >= 0 ? index : 0;
    for (const [at, span] of this.spans.entries()) span.tabIndex = at === wanted ? 0 : -1;
  }

  /** Put the spoken text into a field. Ctrl+Enter saves, Esc leaves. */
  edit() {
    const text = this.visit.words.map((word) => word.text).join(" ");
    this.tab = "transcript";
    this.drawTabs();
    this.field = h("textarea", { class: "correction", rows: "4", "aria-label": "Spoken text", "data-testid": "desk-correction", spellcheck: "true" });
    this.field.value = text;
    this.pane.style.maxHeight = "";
    const save = button({ class: "small primary", "data-testid": "desk-correction-save", on: { click: () => this.commit() } }, "Save the text", h("kbd", {}, "Ctrl"), h("kbd", {}, "↵"));
    const leave = button({ class: "small", on: { click: () => this.leave() } }, "Leave", h("kbd", {}, "Esc"));
    this.pane.replaceChildren(this.field, h("div", { class: "correction-foot" }, save, leave, h("span", {}, "Learners read this text. Its times are set anew; the recognition is kept beside it.")));
    this.field.focus();
  }

  commit() {
    const text = this.field.value.trim().replace(/\s+/g, " ");
    const isChanged = text !== "" && text !== this.visit.words.map((word) => word.text).join(" ");
    this.leave();
    if (isChanged) this.onSave(text);
  }

  leave() {
    this.field = null;
    this.redraw();
    this.follow(this.sentenceOfFocus(), true);
    this.onLeave();
  }

  working(text) {
    setText(this.note, text);
  }
}
