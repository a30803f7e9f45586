// The card at the right: what the machine proposes and why, what the person decides.
import { REJECT_REASONS, approveLabel, approvedTogether, canTick, featuresOf, isDoubtful, isLocked, isWanted } from "./targets.js";
import { readable } from "./rail.js";
import { h, icon, keycap, button, score, seconds } from "./dom.js";

/** Where the rule stands for each meter; the legacy rule asks 0.9 of education and context. */
const LEGACY_RULE = 0.9;
const OWN_SCORES = [[1, 0.2], [2, 0.4], [3, 0.6], [4, 0.8], [5, 1.0], [0, null]];

/**
 * @typedef {Object} CardState
 * @property {import("./contract.js").Visit} visit
 * @property {import("./contract.js").Target} focus
 * @property {Set<string>} ticks
 * @property {{score: number|null, note: string}} draft
 * @property {boolean} isRejecting
 * @property {boolean} isNoting
 * @property {boolean} needsNote  `A` was pressed on a locked word, or reason 9 without a note
 * @property {{min_score: number, strict: boolean}} rules
 */

export class Card {
  /** @param {{root: ParentNode, act: (action: string, value?: any) => void}} parts */
  constructor({ root, act }) {
    this.act = act;
    this.areAllFeaturesShown = false;
    this.body = root.querySelector(".card-body");
    this.actions = root.querySelector(".actions");
  }

  /** @param {CardState} state */
  draw(state) {
    this.state = state;
    const top = this.body.scrollTop;
    const lower = state.isRejecting ? [this.reasons(state)] : [this.alsoTeaches(state), this.teachability(state), this.ownScore(state), this.note(state)];
    this.body.replaceChildren(...[this.meaning(state), this.proposal(state), this.evidence(state), ...lower].filter(Boolean));
    this.body.scrollTop = top;
    this.actions.replaceChildren(...this.decisions(state));
  }

  meaning({ focus }) {
    if (!focus.definition) return null;
    return h("p", { class: "meaning", "data-testid": "desk-definition" }, focus.definition);
  }

  proposal({ focus, rules }) {
    const { proposal } = focus;
    if (!proposal) return section("Proposal", "none yet", h("p", { class: "reason" }, "No judge has scored this clip for this word."));
    const meter = (name, value, rule) => h("div", { class: "meter" }, h("span", {}, name),
      h("span", { class: "track", role: "img", "aria-label": `${name} ${score(value)}, rule ${score(rule)}` }, bar(value), notch(rule)),
      h("span", { class: "figure" }, score(value)), value + 1e-9 >= rule ? icon("check", 15, "ok") : h("span", { class: "dash", "aria-hidden": "true" }, "–"));
    const by = [proposal.model || proposal.judge, proposal.prompt_version ? `${/^\d/.test(proposal.prompt_version) ? "prompt " : ""}${proposal.prompt_version}` : ""].filter(Boolean).join(", ");
    return section("Proposal", by, meter("Education", proposal.education, LEGACY_RULE), meter("Context", proposal.context, LEGACY_RULE), meter("Relevance", proposal.relevance, rules.min_score),
      proposal.reason ? h("p", { class: "reason", title: proposal.reason }, proposal.reason) : null);
  }

  evidence({ visit, focus }) {
    const { evidence } = focus;
    const tags = { heard: ["hearing", "Heard", "ok"], captioned: ["closed_caption", "Captioned, listen", "warn"], not_heard: ["hearing_disabled", "Not heard", "bad"] };
    const [symbol, word, tone] = tags[evidence.state];
    const tag = h("span", { class: `tag ${tone}`, "data-testid": "desk-evidence" }, icon(symbol, 15), word);
    const lines = evidence.occurrences.slice(0, 2).map((found) => evidenceLine(found, focus, evidence.state));
    if (evidence.state === "not_heard") lines.push(fact("close", "bad", h("span", {}, "Nobody says ", h("b", {}, focus.word)), ""));
    lines.push(...evidence.reasons.map((reason) => fact(evidence.state === "heard" ? "check" : evidence.state === "captioned" ? "graphic_eq" : "description", evidence.state === "heard" ? "ok" : "quiet", reason, "")));
    const rated = visit.film_rating ? `film rated ${visit.film_rating}` : "film not rated";
    const strong = visit.strong_language;
    lines.push(strong.length > 0 ? fact("warning", "warn", `Strong language: ${strong.join(", ")}`, rated, "desk-strong") : fact("check", "ok", "No strong language", rated));
    return section("Evidence", tag, ...lines);
  }

  alsoTeaches({ visit, focus, ticks }) {
    const others = visit.targets.filter((target) => target.mapping_id !== focus.mapping_id);
    if (others.length === 0) return null;
    return section("Also teaches", "tick to approve together", ...others.map((target) => this.other(target, visit, ticks)));
  }

  other(target, visit, ticks) {
    const isDoubted = isDoubtful(target, visit.words);
    const doubt = target.evidence.occurrences[0]?.probability;
    const aside = target.state === "approved" ? ["check_circle", "Approved", "ok"] : target.state === "rejected" ? ["cancel", "Rejected", "bad"]
      : target.evidence.state === "captioned" ? ["closed_caption", "captioned", "warn"] : target.evidence.state === "not_heard" ? ["hearing_disabled", "not heard", "bad"]
        : isDoubted ? ["help", doubt == null ? "unsure" : `unsure, p ${seconds(doubt)}`, "warn"] : null;
    const isFull = !isWanted(target);
    const box = h("input", { type: "checkbox", class: isDoubted || isFull || !canTick(target) ? "dotted" : "", disabled: !canTick(target), "aria-label": `Approve ${target.word} together`, "data-testid": "desk-tick", data: { mapping: target.mapping_id }, on: { change: () => this.act("tick", target.mapping_id), mousedown: (event) => event.preventDefault() } });
    box.checked = ticks.has(target.mapping_id) && canTick(target);
    return h("div", { class: "other", data: { state: target.state } }, box,
      button({ class: "link-word", tabindex: "-1", title: `Make ${target.word} the word in focus`, on: { click: () => this.act("focus", target.mapping_id) } }, h("b", {}, target.word), " ",
        aside ? h("span", { class: aside[2] }, icon(aside[0], 14), ` ${aside[1]}`) : h("span", { class: "quiet" }, readable(target.bundles[0] ?? ""))),
      isFull ? h("span", { class: "reach ok" }, `has ${target.approved} `, icon("check", 14)) : h("span", { class: "reach" }, `${target.approved} → ${target.approved + 1}`));
  }

  teachability({ focus }) {
    const { proposal } = focus;
    if (!proposal || proposal.features.length === 0) return null;
    const { shown, nMore } = featuresOf(proposal.features, this.areAllFeaturesShown);
    const chips = shown.map((feature) => h("span", { class: `feature ${feature.is_good ? "" : "poor"}`, title: feature.value === null ? feature.name : `${feature.name}: ${feature.value}`, "data-testid": "desk-feature" },
      icon(feature.is_good ? "check" : "warning", 14, feature.is_good ? "ok" : "warn"), feature.label));
    if (nMore > 0 || this.areAllFeaturesShown) chips.push(this.featureSwitch(nMore));
    const difficulty = proposal.difficulty === null || proposal.difficulty === "" ? "" : typeof proposal.difficulty === "number" ? `difficulty ${score(proposal.difficulty)}` : `difficulty ${proposal.difficulty}`;
    return section("Teachability", difficulty, h("div", { class: "features" }, ...chips));
  }

  featureSwitch(nMore) {
    const turn = () => {
      this.areAllFeaturesShown = !this.areAllFeaturesShown;
      this.draw(this.state);
      this.body.querySelector(".more-features")?.focus({ preventScroll: true });
    };
    return button({ class: "more-features", "aria-expanded": String(this.areAllFeaturesShown), "data-testid": "desk-more-features", on: { click: turn } }, this.areAllFeaturesShown ? "Fewer" : `+${nMore} more`);
  }

  ownScore({ focus, draft }) {
    const machine = focus.proposal ? `the machine says ${score(focus.proposal.relevance)}` : "";
    const own = draft.score === null ? "none yet" : `yours ${score(draft.score)}`;
    const choices = OWN_SCORES.map(([digit, value]) => button({ class: "choice", role: "radio", "aria-checked": String(draft.score === value && value !== null), "aria-label": value === null ? "No score of your own" : `Score ${value.toFixed(1)}`, "data-testid": `desk-score-${digit}`, on: { click: () => this.act("score", digit) } },
      keycap(String(digit)), h("span", {}, value === null ? "–" : value.toFixed(1))));
    return section("Your score", [own, machine].filter(Boolean).join(", "), h("div", { class: "choices", role: "radiogroup", "aria-label": "Your score" }, ...choices));
  }

  note({ focus, draft, isNoting, needsNote }) {
    const isLockedNow = isLocked(focus, draft.note);
    const isOpenField = isNoting || isLockedNow || draft.note !== "" || needsNote;
    const isRed = isLockedNow || needsNote;
    if (!isOpenField) return h("div", { class: "note" }, button({ class: "note-open", "data-testid": "desk-note-open", on: { click: () => this.act("note") } }, icon("edit_note", 18), h("span", {}, "Add a note"), keycap("N")));
    const field = h("textarea", { rows: "1", class: "note-field", placeholder: needsNote === "other" ? "Say what is wrong" : isRed ? "Say why it counts as heard" : "Note", "aria-label": "Note", "data-testid": "desk-note", "aria-invalid": isRed ? "true" : null, on: { input: (event) => { grow(event.target); this.act("note_text", event.target.value); } } });
    field.value = draft.note;
    requestAnimationFrame(() => grow(field));
    const advice = needsNote === "other" ? [icon("edit_note", 15), "Enter rejects, Esc goes back."] : isLockedNow ? [icon("lock", 14), "Approving needs a note."] : null;
    return h("div", { class: `note open ${isRed ? "red" : ""}` }, h("label", { class: "note-box" }, icon("edit_note", 18), field, keycap(isNoting ? "Esc" : "N")), advice ? h("p", { class: "note-advice" }, ...advice) : null);
  }

  reasons() {
    const rows = REJECT_REASONS.map(({ reason, label }, index) => button({ class: "reason-row", "data-testid": `desk-reason-${reason}`, on: { click: () => this.act("reason", index + 1) } }, keycap(String(index + 1)), h("span", {}, label)));
    return h("section", { class: "part reasons", "data-testid": "desk-reasons" },
      h("div", { class: "part-head" }, h("h3", {}, "Why reject?"), h("span", { class: "quiet keys-line" }, keycap("X"), " no reason ", keycap("Esc"), " back")), h("div", { class: "reason-grid" }, ...rows));
  }

  decisions(state) {
    const { focus, visit, ticks, draft, isRejecting } = state;
    const isShut = isLocked(focus, draft.note);
    const count = approvedTogether(visit.targets, focus.mapping_id, ticks).length;
    const isHearsay = focus.evidence.state === "captioned";
    const advice = isHearsay ? h("p", { class: "vouch", id: "desk-vouch", "data-testid": "desk-vouch" }, icon("hearing", 17), "Approving says that you heard it.") : null;
    const approve = button({ class: `decide approve ${isShut ? "shut" : "primary"}`, "data-testid": "desk-approve", "aria-disabled": isShut ? "true" : null, "aria-describedby": isHearsay ? "desk-vouch" : null, on: { click: once(() => this.act("approve")) } },
      icon(isShut ? "lock" : "check", 18), h("span", {}, isShut ? "Approve" : approveLabel(count)), keycap("A"));
    const reject = button({ class: "decide reject", "data-testid": "desk-reject", "aria-expanded": String(isRejecting), on: { click: once(() => this.act("reject")) } }, icon("close", 18, "bad"), h("span", {}, isRejecting ? "No reason" : "Reject"), keycap("X"));
    const small = (action, label, key, symbol) => button({ class: "decide minor", "data-testid": `desk-${action}`, on: { click: once(() => this.act(action)) } }, symbol ? icon(symbol, 17) : null, h("span", {}, label), keycap(key));
    const last = isRejecting ? small("escape", "Back", "Esc", "undo") : small("undo", "Undo", "Z", "undo");
    return [advice, h("div", { class: "pair" }, approve, reject), h("div", { class: "trio" }, small("skip", "Skip", "S"), small("flag", "Flag", "F"), last)].filter(Boolean);
  }

  /** The decision that has the focus when a word comes up: the one that is open. */
  focusDecision(isShut) {
    this.actions.querySelector(isShut ? ".reject" : ".approve")?.focus({ preventScroll: true });
  }

  get noteField() {
    return this.body.querySelector(".note-field");
  }
}

/** A double click counts once: its second half would decide the clip that has just come up. */
function once(act) {
  return (event) => { if (event.detail < 2) act(); };
}

function section(title, aside, ...children) {
  return h("section", { class: "part" }, h("div", { class: "part-head" }, h("h3", {}, title), typeof aside === "string" ? h("span", { class: "quiet" }, aside) : aside), ...children.filter(Boolean));
}

function fact(symbol, tone, text, aside, testId = null) {
  return h("div", { class: "fact", "data-testid": testId }, icon(symbol, 17, tone), h("span", {}, text), h("span", { class: "aside" }, aside));
}

function evidenceLine(found, focus, state) {
  const p = found.probability === null ? (found.timed_by === "caption" ? "caption’s time" : "") : `p ${seconds(found.probability)}`;
  if (state === "captioned") return fact("closed_caption", "warn", `Only the caption says it, at ${found.start_s.toFixed(1)} s`, p);
  const form = found.form.toLowerCase() === focus.word.toLowerCase() ? "" : ` as “${found.form}”`;
  return fact("check", "ok", `Heard at ${seconds(found.start_s)} s${form}`, p);
}

function bar(value) {
  const node = h("span", { class: "fill" });
  node.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
  return node;
}

function notch(rule) {
  const node = h("span", { class: "notch" });
  node.style.left = `${rule * 100}%`;
  return node;
}

function grow(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(96, field.scrollHeight)}px`;
}
