// What stands in place of a clip: the first start, the end of the queue, a clip that cannot play; and the list of keys.
import { KEY_HELP } from "./keys.js";
import { h, icon, keycap, button, plural, seconds } from "./dom.js";
import { readable } from "./rail.js";

/** The start of everything: one clip, four keys, one button. */
export function firstStart({ desk, visit, data, act }) {
  const target = visit.targets[0];
  const found = target.evidence.occurrences[0];
  const words = visit.words.slice(Math.max(0, (found?.word_index ?? 0) - 3), (found?.word_index ?? 0) + (found?.n_words ?? 1) + 2);
  const first = Math.max(0, (found?.word_index ?? 0) - 3);
  const line = words.flatMap((word, index) => [found && first + index >= found.word_index && first + index < found.word_index + found.n_words ? h("mark", {}, word.text) : word.text, " "]);
  const isDemo = desk.visits.every((head) => head.is_demo);
  const nWords = new Set(desk.visits.map((head) => head.word)).size;
  const forWords = desk.total > desk.visits.length ? "" : ` for ${plural(nWords, "word")}`;
  const lead = isDemo
    ? `Wordreel finds film clips that teach a word. You watch, and decide. ${plural(desk.total, "demo clip")}${forWords} are ready; they were made on this machine and nothing has left it.`
    : `Wordreel finds film clips that teach a word. You watch, and decide. ${plural(desk.total, "clip")}${forWords} ${desk.total === 1 ? "is" : "are"} ready.`;
  const step = (key, text) => h("li", {}, keycap(key), text);
  const start = button({ class: "primary begin", "data-testid": "desk-start", on: { click: () => act("start") } }, "Start reviewing", h("kbd", {}, "↵"));
  return h("div", { class: "first", "data-testid": "desk-first-start" },
    h("h1", {}, "Judge your first clip"), h("p", { class: "lead" }, lead),
    h("div", { class: "first-box" },
      h("div", { class: "first-still" }, h("img", { src: visit.still_url, alt: "" }), h("p", {}, ...line)),
      h("div", { class: "first-steps" }, h("p", { class: "first-word" }, h("b", {}, target.word), ...target.bundles.slice(0, 1).map((name) => h("span", { class: "bundle" }, readable(name)))),
        h("p", { class: "quiet" }, "Does this clip make the word plain?"),
        h("ul", {}, step("A", "Yes, approve it"), step("X", "No, reject it and say why"), step("S", "Not now"), step("Z", "Take the last one back")), start)),
    isDemo ? h("p", { class: "first-note" }, icon("experiment", 16), h("span", {}, "Demo clips are marked as demo everywhere and are never exported to production."), h("a", { href: data.links.demo, target: "_self" }, "Remove the demo")) : null,
    h("div", { class: "ways" }, way("upload_file", "Bring your words", "A CSV with one word a line. TOEFL and IELTS starter lists are in.", "Import a list", data.links.vocabulary),
      way("video_library", "Use your films", "Point at a folder. Needs no key; files stay where they are.", "Add a folder", data.links.library),
      way("grid_view", "See what is missing", "Which words of a bundle have no clip, and why.", "Open Coverage", data.links.coverage)));
}

function way(symbol, title, text, label, href) {
  return h("div", {}, h("h2", {}, icon(symbol, 18), title), h("p", {}, text), h("a", { href, target: "_self" }, label));
}

/** Nothing left: what is true, and the one next step. */
export function endOfQueue({ desk, nSkipped, isUntouched, data, act }) {
  const title = isUntouched ? "Nothing waits here" : "Nothing left in this queue";
  const without = desk.without_clip > 0 ? `${plural(desk.without_clip, "word")} still ${desk.without_clip === 1 ? "has" : "have"} no clip.` : "Every word has a clip.";
  const done = isUntouched ? "No clip waits for a decision under these filters." : `${desk.today.decided} decided, ${nSkipped} skipped.`;
  return h("div", { class: "end", "data-testid": "desk-empty" }, icon("task_alt", 24, "ok"),
    h("div", {}, h("h2", {}, title), h("p", {}, `${done} ${without}`)),
    h("div", { class: "end-ways" }, nSkipped > 0 ? button({ class: "plain", "data-testid": "desk-show-skipped", on: { click: () => act("show_skipped") } }, "Show skipped") : null,
      isUntouched ? null : button({ class: "plain", "data-testid": "desk-end-undo", on: { click: () => act("undo") } }, "Undo", keycap("Z")),
      h("a", { class: "primary", href: data.links.discover, target: "_self", "data-testid": "desk-find" }, "Find clips", icon("arrow_forward", 17))));
}

/** Everything held is decided; the server has more. */
export function moreOfQueue(nBeyond) {
  return h("div", { class: "end", "data-testid": "desk-more" }, icon("hourglass_top", 24, "quiet"),
    h("div", {}, h("h2", {}, "Reading the next clips"), h("p", {}, `${plural(nBeyond, "clip")} ${nBeyond === 1 ? "waits" : "wait"}. They come up by themselves.`)));
}

/** The desk itself could not be read. */
export function unreachable({ message, hint, act }) {
  return h("div", { class: "end", "data-testid": "desk-unreachable" }, icon("cloud_off", 24, "warn"),
    h("div", {}, h("h2", {}, message), h("p", {}, hint)), h("div", { class: "end-ways" }, button({ class: "primary", on: { click: () => act("reload") } }, "Try again")));
}

const FAULTS = {
  gone: { icon: "link_off", title: "The file is gone" },
  unplayable: { icon: "videocam_off", title: "This file does not play here" },
  unreachable: { icon: "cloud_off", title: "The clip could not be loaded" },
};

/** On the stage: Start, what is wrong, or nothing. */
export function stageCue({ fault, isStarted, visit, act }) {
  if (fault) {
    const { icon: symbol, title } = FAULTS[fault];
    return h("div", { class: "stage-fault", "data-testid": "desk-fault", data: { fault } }, icon(symbol, 24), h("b", {}, title), h("span", {}, `${visit.film_title || visit.title}, ${seconds(visit.duration_s)} s`),
      button({ class: "on-stage", on: { click: () => act("reload_clip") } }, "Try again"));
  }
  if (isStarted) return null;
  return button({ class: "on-stage start", "data-testid": "desk-start", on: { click: () => act("start") } }, icon("play_arrow", 20), "Start", h("kbd", {}, "↵"));
}

export function helpPanel({ hasLetters, act }) {
  const column = (rows) => h("dl", {}, ...rows.flatMap((row) => [h("dt", {}, ...row.keys.flatMap((key, index) => [index > 0 ? row.joint ?? " " : "", h("kbd", {}, key)])), h("dd", {}, row.does)]));
  const letters = h("input", { type: "checkbox", "data-testid": "desk-letters", on: { change: (event) => act("letters", event.target.checked) } });
  letters.checked = hasLetters;
  return [h("div", { class: "help-head" }, h("h2", {}, "Keys"), h("label", {}, letters, "Single-letter keys"), button({ class: "key-button", "aria-label": "Close", "data-testid": "desk-help-close", on: { click: () => act("escape") } }, icon("close", 16))),
    h("div", { class: "help-columns" }, ...KEY_HELP.map(column))];
}
