// The queue that the browser holds. Rows stay where they are; a decided one keeps its outcome, a skipped one comes back at the end.

export class Queue {
  /** @param {import("./contract.js").VisitHead[]} heads */
  constructor(heads = []) {
    /** @type {{row_id: string, head: object, outcome: null|{kind: string, label: string}, isReturned: boolean}[]} */
    this.rows = heads.map(asRow);
    this.position = 0;
  }

  get current() {
    return this.rows[this.position] ?? null;
  }

  get nOpen() {
    return this.rows.filter((row) => row.outcome === null).length;
  }

  /** The present row's place among all clips; a skipped clip counts where it came back, a parked one not at all. */
  get place() {
    const moved = new Set(this.rows.filter((row) => row.isReturned).map((row) => row.head.clip_id));
    const counted = (row) => row.outcome?.kind !== "parked" && (row.isReturned || !moved.has(row.head.clip_id));
    const last = new Map(this.rows.filter(counted).map((row) => [row.head.clip_id, row]));
    const before = this.rows.slice(0, this.position).filter((row) => last.get(row.head.clip_id) === row).length;
    return { place: before + 1, total: Math.max(last.size, before + 1) };
  }

  /** Rows skipped twice or skipped without having come back. */
  get skipped() {
    const open = new Set(this.rows.filter((row) => row.outcome === null).map((row) => row.head.clip_id));
    const last = new Map(this.rows.map((row) => [row.head.clip_id, row]));
    return [...last.values()].filter((row) => row.outcome?.kind === "skip" && !open.has(row.head.clip_id));
  }

  /** The next `count` undecided rows after the present one, round the end. */
  upcoming(count) {
    const after = [...this.rows.slice(this.position + 1), ...this.rows.slice(0, this.position)];
    return after.filter((row) => row.outcome === null).slice(0, count);
  }

  /** Write an outcome on the present row and go to the next undecided one. Returns it, or null at the end. */
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
    let found = this.rows.findIndex((row) => row.head.clip_id === head.clip_id);
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

  /** A word reached its want or lost an approval: its other clips wait, or come back. */
  count(word, approved) {
    for (const row of this.rows) {
      if (row.head.word !== word) continue;
      row.head = { ...row.head, approved };
      const isFull = approved >= row.head.want;
      if (isFull && row.outcome === null && row !== this.current) row.outcome = { kind: "parked", label: `Has ${approved}` };
      else if (!isFull && row.outcome?.kind === "parked") row.outcome = null;
    }
  }

  /**
   * Take the server's newer order for everything beyond the next `held` rows, which are loaded already.
   * Clips decided here stay decided, clips the server no longer names are dropped.
   */
  merge(heads, held = 3) {
    const keep = new Set([this.current, ...this.upcoming(held)].filter(Boolean).map((row) => row.head.clip_id));
    const fresh = new Map(heads.map((head) => [head.clip_id, head]));
    const settled = this.rows.filter((row) => (row.outcome !== null && row.outcome.kind !== "parked") || keep.has(row.head.clip_id) || row.isReturned);
    const known = new Set(settled.map((row) => row.head.clip_id));
    const present = this.current;
    for (const row of settled) if (row.outcome === null && fresh.has(row.head.clip_id)) row.head = { ...fresh.get(row.head.clip_id), word: row.head.word, mapping_id: row.head.mapping_id };
    const [returned, placed] = [settled.filter((row) => row.isReturned && row.outcome === null), settled.filter((row) => !(row.isReturned && row.outcome === null))];
    this.rows = [...placed, ...heads.filter((head) => !known.has(head.clip_id)).map(asRow), ...returned];
    this.position = Math.max(0, this.rows.indexOf(present));
  }
}

function asRow(head) {
  return { row_id: head.clip_id, head, outcome: null, isReturned: false };
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
