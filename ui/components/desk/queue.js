// The queue that the browser holds. Rows stay where they are; a decided one keeps its outcome, a skipped one comes back at the end.

/** Held rows under which the server is asked for more: a minute's work, and well more than are loaded ahead. */
const ENOUGH = 20;

export class Queue {
  /**
   * @param {import("./contract.js").VisitHead[]} heads
   * @param {number} total  clips that wait, also those that the server has not named
   */
  constructor(heads = [], total = heads.length) {
    /** @type {{row_id: string, head: object, outcome: null|{kind: string, label: string}, isReturned: boolean}[]} */
    this.rows = heads.map(asRow);
    this.position = 0;
    this.beyond = Math.max(0, total - heads.length);
  }

  get current() {
    return this.rows[this.position] ?? null;
  }

  /** Clips that wait, those included that only the server has. */
  get nOpen() {
    return this.rows.filter((row) => row.outcome === null).length + this.beyond;
  }

  /** Whether few of the held rows are left while the server has more. */
  get isRunningLow() {
    return this.beyond > 0 && this.upcoming(ENOUGH).length < ENOUGH;
  }

  /** The present row's place among all clips; a skipped clip counts where it came back, a parked one not at all. */
  get place() {
    const moved = new Set(this.rows.filter((row) => row.isReturned).map((row) => row.head.clip_id));
    const counted = (row) => row.outcome?.kind !== "parked" && (row.isReturned || !moved.has(row.head.clip_id));
    const last = new Map(this.rows.filter(counted).map((row) => [row.head.clip_id, row]));
    const before = this.rows.slice(0, this.position).filter((row) => last.get(row.head.clip_id) === row).length;
    const total = Math.max(last.size + this.beyond, 1);
    return { place: Math.min(before + 1, total), total }; // the present row may be one that is not counted
  }

  /** Rows skipped twice or skipped without having come back. */
  get skipped() {
    const open = new Set(this.rows.filter((row) => row.outcome === null).map((row) => row.head.clip_id));
    const last = new Map(this.rows.map((row) => [row.head.clip_id, row]));
    return [...last.values()].filter((row) => row.outcome?.kind === "skip" && !open.has(row.head.clip_id));
  }

  /** The next `count` undecided rows after the present one, round the end; what was skipped comes after what only the server has. */
  upcoming(count) {
    const after = [...this.rows.slice(this.position + 1), ...this.rows.slice(0, this.position)];
    return after.filter((row) => row.outcome === null && (this.beyond === 0 || !row.isReturned)).slice(0, count);
  }

  /** Write an outcome on the present row and go to the next undecided one. Returns it, or null where no held row is left. */
  finish(outcome) {
    const row = this.current;
    if (row === null) return null;
    row.outcome = outcome;
    if (outcome.kind === "skip" && !row.isReturned) this.rows.push({ ...asRow(row.head), row_id: `${row.row_id}+`, isReturned: true });
    return this.advance();
  }

  advance() {
    const [next] = this.upcoming(1);
    if (next === undefined) return null;
    this.position = this.rows.indexOf(next);
    return next;
  }

  /** Go one row back or on without deciding. Returns true if there was one. */
  step(direction) {
    const wanted = this.position + direction;
    if (wanted < 0 || wanted >= this.rows.length) return false;
    this.position = wanted;
    return true;
  }

  goTo(rowId) {
    const found = this.rows.findIndex((row) => row.row_id === rowId);
    if (found >= 0) this.position = found;
    return found >= 0;
  }

  /** Open a clip's row again (undo); a clip that is not here is put before the present one. */
  reopen(head) {
    this.rows = this.rows.filter((row) => !(row.isReturned && row.head.clip_id === head.clip_id && row.outcome === null));
    let found = this.rows.findIndex((row) => row.head.clip_id === head.clip_id && row.head.mapping_id === head.mapping_id);
    if (found < 0) found = this.rows.findIndex((row) => row.head.clip_id === head.clip_id);
    if (found < 0) {
      found = Math.min(this.position, this.rows.length);
      this.rows.splice(found, 0, asRow(head));
    }
    this.rows[found].outcome = null;
    this.position = found;
    return this.rows[found];
  }

  /** Bring the skipped rows back. */
  returnSkipped() {
    const heads = this.skipped.map((row) => row.head);
    for (const head of heads) this.rows.push({ ...asRow(head), row_id: `${head.clip_id}+${this.rows.length}`, isReturned: true });
    if (heads.length > 0) this.position = this.rows.length - heads.length;
    return heads.length;
  }

  /** A word reached its want or lost an approval: its other clips wait, or come back. What was skipped comes back anyway. */
  count(word, approved) {
    for (const row of this.rows) {
      if (row.head.word !== word) continue;
      row.head = { ...row.head, approved };
      const isFull = approved >= row.head.want;
      if (isFull && row.outcome === null && row !== this.current && !row.isReturned) row.outcome = { kind: "parked", label: `Has ${approved}` };
      else if (!isFull && row.outcome?.kind === "parked") row.outcome = null;
    }
  }

  /**
   * Take the server's newer order for everything beyond the next `held` rows, which are loaded already.
   * Clips decided here stay decided; one that still has a word to decide comes back where the server has it; what it no longer names goes.
   * @param {import("./contract.js").VisitHead[]} heads
   * @param {{total?: number, held?: number, moving?: Set<string>}} rest
   *   `total`: clips that wait by the server's count; `moving`: clips whose decisions the server may not have known when it counted
   */
  merge(heads, { total = heads.length, held = 3, moving = new Set() } = {}) {
    const keep = new Set([this.current, ...this.upcoming(held)].filter(Boolean).map((row) => row.head.clip_id));
    const isKept = (row) => (row.outcome !== null && row.outcome.kind !== "parked") || row.isReturned || keep.has(row.head.clip_id) || moving.has(row.head.clip_id);
    const fresh = new Map(heads.map((head) => [head.clip_id, head]));
    const settled = this.rows.filter(isKept);
    const present = this.current;
    for (const row of settled) if (row.outcome === null && fresh.has(row.head.clip_id)) row.head = { ...fresh.get(row.head.clip_id), word: row.head.word, mapping_id: row.head.mapping_id };
    const lasting = new Set(settled.filter((row) => row.outcome === null).map((row) => row.head.clip_id));
    const decided = new Set(settled.map((row) => row.head.clip_id).filter((clipId) => !lasting.has(clipId)));
    const last = new Map(settled.map((row) => [row.head.clip_id, row.outcome?.kind]));
    const isOpen = (head) => head.state === "in_review" || (head.state === "skipped" && last.get(head.clip_id) !== "skip");
    const isBack = (head) => decided.has(head.clip_id) && isOpen(head) && !moving.has(head.clip_id);
    const added = heads.filter((head) => isBack(head) || (!lasting.has(head.clip_id) && !decided.has(head.clip_id)));
    const rowIdOf = ({ clip_id: clipId }) => (decided.has(clipId) ? `${clipId}:${settled.filter((row) => row.head.clip_id === clipId).length}` : clipId);
    const [returned, placed] = [settled.filter((row) => row.isReturned && row.outcome === null), settled.filter((row) => !(row.isReturned && row.outcome === null))];
    this.rows = [...placed, ...added.map((head) => asRow(head, rowIdOf(head))), ...returned];
    this.position = Math.max(0, this.rows.indexOf(present));
    this.beyond = beyondOf(heads, total, settled);
  }
}

/** How many clips wait that are neither named nor held: the server counts those that were skipped or flagged here too. */
function beyondOf(heads, total, settled) {
  if (total <= heads.length) return 0;
  const named = new Set(heads.map((head) => head.clip_id));
  const waits = (row) => row.outcome === null || row.outcome.kind === "skip" || row.outcome.kind === "flag";
  const held = new Set(settled.filter((row) => waits(row) && !named.has(row.head.clip_id)).map((row) => row.head.clip_id));
  return Math.max(0, total - heads.length - held.size);
}

function asRow(head, rowId = head.clip_id) {
  return { row_id: rowId, head, outcome: null, isReturned: false };
}

/**
 * The one thing to know of a row, most important first.
 * @returns {{icon: string, text: string, tone: string, isTag: boolean}}
 */
export function noteOf(head) {
  if (head.evidence === "not_heard") return { icon: "hearing_disabled", text: "Not heard", tone: "bad", isTag: true };
  if (head.evidence === "captioned") return { icon: "closed_caption", text: "Captioned", tone: "warn", isTag: true };
  if (head.flags.includes("check_timing")) return { icon: "timer", text: "Check timing", tone: "warn", isTag: false };
  if (head.flags.includes("second_opinion")) return { icon: "flag", text: "Second opinion", tone: "warn", isTag: false };
  if (head.n_alike > 1) return { icon: "filter_none", text: `${head.n_alike} alike`, tone: "quiet", isTag: false };
  return { icon: "", text: head.film_title, tone: "quiet", isTag: false };
}

/** Icon and colour of an outcome. */
export const OUTCOME_LOOK = {
  approve: { icon: "check_circle", tone: "ok" },
  reject: { icon: "cancel", tone: "bad" },
  skip: { icon: "schedule", tone: "quiet" },
  flag: { icon: "flag", tone: "warn" },
  parked: { icon: "check", tone: "quiet" },
  conflict: { icon: "group", tone: "warn" },
};

/** Pips of one word: approved, what this clip would add, what is missing. Never more than eight squares. */
export function pipsOf(approved, want) {
  const total = Math.min(8, Math.max(want, 1));
  return Array.from({ length: total }, (_, index) => (index < approved ? "filled" : index === approved ? "added" : "missing"));
}
