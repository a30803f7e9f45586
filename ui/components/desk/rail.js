// The queue at the left: two decided rows above the present one, what comes below, filters above, preload below.
import { noteOf, OUTCOME_LOOK } from "./queue.js";
import { h, icon, button, score, setAttribute, setText } from "./dom.js";

const ROW_PX = 54;
export const ORDERS = [["coverage_gain", "Coverage gain"], ["best_first", "Best first"], ["newest", "Newest first"]];
const SCORE_FILTERS = [["", "Any score"], ["0.5", "≥ 0.50"], ["0.6", "≥ 0.60"], ["0.7", "≥ 0.70"], ["0.8", "≥ 0.80"], ["0.9", "≥ 0.90"]];

export class Rail {
  /** @param {{root: ParentNode, onPick: (rowId: string) => void, onFilter: (change: Object) => void}} parts */
  constructor({ root, onPick, onFilter }) {
    Object.assign(this, { onPick, onFilter });
    this.head = root.querySelector(".rail-head");
    this.list = root.querySelector(".rows");
    this.foot = root.querySelector(".rail-foot");
    this.nodes = new Map();
  }

  drawHead(desk, filters, nOpen) {
    const select = (name, label, options) => {
      const field = h("select", { "aria-label": label, "data-testid": `desk-filter-${name}`, on: { change: (event) => { event.target.blur(); this.onFilter({ [name]: event.target.value }); } } },
        ...options.map(([value, text]) => h("option", { value, selected: value === (filters[name] ?? "") }, text)));
      return field;
    };
    const bundles = [["", "All bundles"], ...desk.bundles.map((name) => [name, readable(name)])];
    const chip = (name, label, options) => h("span", { class: `chip ${filters[name] ? "set" : ""}` }, select(name, label, options), icon("expand_more", 14));
    this.count = h("span", { class: "count", "data-testid": "desk-queue-count" }, String(nOpen));
    this.head.replaceChildren(
      h("div", { class: "rail-title" }, h("h2", {}, "Queue"), this.count, h("span", { class: "order" }, select("order", "Order", ORDERS), icon("expand_more", 16))),
      h("div", { class: "chips" }, chip("bundle", "Bundle", bundles), chip("min_score", "Score", SCORE_FILTERS)));
  }

  /** @param {import("./queue.js").Queue} queue */
  draw(queue, nOpen) {
    const wanted = new Set(queue.rows.map((row) => row.row_id));
    for (const [rowId, node] of this.nodes) if (!wanted.has(rowId)) { node.remove(); this.nodes.delete(rowId); }
    let before = null;
    for (const [index, row] of queue.rows.entries()) {
      const look = lookOf(row, index === queue.position, index < queue.position);
      let node = this.nodes.get(row.row_id);
      if (!node || node.look !== look) {
        const fresh = this.row(row, index === queue.position);
        fresh.look = look;
        if (node) node.replaceWith(fresh);
        this.nodes.set(row.row_id, fresh);
        node = fresh;
      }
      const following = before === null ? this.list.firstElementChild : before.nextElementSibling;
      if (following !== node) this.list.insertBefore(node, following);
      before = node;
    }
    if (this.count) setText(this.count, String(nOpen));
    this.list.scrollTop = Math.max(0, (queue.position - 2) * ROW_PX);
  }

  row(row, isPresent) {
    const { head, outcome } = row;
    const note = outcome ? { ...OUTCOME_LOOK[outcome.kind], text: outcome.label, isTag: false } : noteOf(head);
    const isLocked = head.evidence === "not_heard" && !outcome;
    const reach = outcome ? `${head.approved} of ${head.want}` : `${head.approved} → ${head.approved + 1}`;
    const still = h("img", { src: head.still_url, alt: "", loading: "lazy", width: "46", height: "28", on: { error: (event) => { event.target.style.visibility = "hidden"; } } });
    const line = button({ class: "row", tabindex: "-1", "aria-current": isPresent ? "true" : null, data: { clipId: head.clip_id, outcome: outcome?.kind ?? "" }, "data-testid": "desk-row", on: { click: () => this.onPick(row.row_id) } },
      still,
      h("span", { class: "row-word", title: head.word }, head.word), h("span", { class: "row-score" }, score(head.relevance)),
      h("span", { class: `row-note ${note.tone} ${note.isTag ? "tag" : ""}`, title: note.text }, note.icon ? icon(note.icon, 14) : null, h("span", {}, note.text)),
      isLocked ? h("span", { class: "row-reach" }, h("span", { class: "sr" }, "locked"), icon("lock", 15)) : h("span", { class: "row-reach" }, reach));
    return h("li", { class: `${isPresent ? "present" : ""} ${outcome ? "decided" : ""}` }, line);
  }

  drawFoot(nReady, nWanted) {
    const text = nWanted === 0 ? "No clip after this one" : nReady < nWanted ? `${nReady} of the next ${nWanted} clips loaded` : nWanted === 1 ? "Next clip is loaded" : `Next ${nWanted} clips are loaded`;
    if (this.footText === text) return;
    this.footText = text;
    this.foot.replaceChildren(icon("bolt", 16), h("span", {}, text));
    setAttribute(this.foot, "data-ready", nReady);
  }
}

function lookOf(row, isPresent) {
  return JSON.stringify([row.head, row.outcome, isPresent]);
}

/** `toefl_beginner` as people write it; a word that is in no bundle has none to name. */
export function readable(name) {
  if (name === "" || /[A-Z ]/.test(name)) return name;
  return name.split("_").map((part, index) => (["toefl", "ielts", "gre", "sat"].includes(part) ? part.toUpperCase() : index === 0 ? part[0].toUpperCase() + part.slice(1) : part)).join(" ");
}
