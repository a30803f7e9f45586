// Decisions on their way to the database. Kept in the tab's storage until the server has answered, sent one after another
// so that an undo never overtakes what it undoes, and sent again every five seconds with the same idempotency key.

export const RETRY_MS = 5000;
const STORED_UNDER = "wordreel.desk.outbox";

/**
 * @typedef {Object} Letter
 * @property {string} id  the idempotency key
 * @property {string} path
 * @property {Object} body
 * @property {string} kind  decision, undo, redo or transcript
 * @property {string} word
 * @property {string} clip_id
 * @property {string|null} mapping_id
 */

export class Outbox {
  /**
   * @param {{storage: Storage, post: (path: string, body: Object) => Promise<{status: number, body: Object}>,
   *   onChange: () => void, onAnswer: (letter: Letter, answer: Object) => void, onRefused: (letter: Letter, refusal: Object) => void,
   *   later?: (run: () => void, ms: number) => any, forget?: (timer: any) => void}} parts
   *   `post` rejects when the server cannot be reached.
   */
  constructor({ storage, post, onChange, onAnswer, onRefused, later = (run, ms) => setTimeout(run, ms), forget = (timer) => clearTimeout(timer) }) {
    Object.assign(this, { storage, post, onChange, onAnswer, onRefused, later, forget });
    /** @type {Letter[]} */
    this.letters = read(storage);
    this.isSending = false;
    this.isFailing = false;
    this.isStopped = false;
    this.timer = null;
  }

  get nWaiting() {
    return this.letters.length;
  }

  /** `saved`, `saving` or `unsaved`; "saved" only when nothing is left without an answer. */
  get state() {
    if (this.letters.length === 0) return "saved";
    return this.isFailing ? "unsaved" : "saving";
  }

  add(...letters) {
    this.letters.push(...letters);
    this.keep();
    this.onChange();
    if (!this.isFailing) void this.flush();
  }

  /** Send everything now; also what the button "Try now" does. */
  async flush() {
    if (this.isSending || this.isStopped) return;
    this.forget(this.timer);
    this.timer = null;
    this.isSending = true;
    try {
      while (this.letters.length > 0 && !this.isStopped && (await this.sendFirst()));
    } finally {
      this.isSending = false;
    }
    if (this.letters.length > 0 && !this.isStopped) this.timer = this.later(() => void this.flush(), RETRY_MS);
    this.onChange();
  }

  stop() {
    this.isStopped = true;
    this.forget(this.timer);
  }

  /** Returns true when the first letter has been answered, one way or the other. */
  async sendFirst() {
    const letter = this.letters[0];
    let answer;
    try {
      answer = await this.post(letter.path, { ...letter.body, idempotency_key: letter.id });
    } catch (error) {
      return this.failed(error);
    }
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408) return this.failed(answer.body);
    this.isFailing = false;
    this.letters.shift();
    if (answer.status >= 400) {
      this.keep();
      this.onRefused(letter, { status: answer.status, ...answer.body });
    } else {
      this.carryVersions(answer.body);
      this.keep();
      this.onAnswer(letter, answer.body);
    }
    this.onChange();
    return true;
  }

  failed(reason) {
    this.isFailing = true;
    this.lastFailure = reason;
    this.onChange();
    return false;
  }

  /** Our own answer made a newer version: what we queued behind it was decided knowing that. */
  carryVersions(answer) {
    for (const item of answer.items ?? [answer]) {
      for (const letter of this.letters) {
        if (letter.kind === "decision" && letter.mapping_id === item.mapping_id) letter.body.version = item.version;
      }
    }
  }

  keep() {
    this.storage.setItem(STORED_UNDER, JSON.stringify(this.letters));
  }
}

function read(storage) {
  const text = storage.getItem(STORED_UNDER);
  if (text === null) return [];
  try {
    const letters = JSON.parse(text);
    return Array.isArray(letters) ? letters : [];
  } catch {
    return []; // written by a version that is gone, or cut off; there is nothing to send in it
  }
}

/** What was done by each key, for undo. Lives as long as the tab. */
export class History {
  constructor(storage, limit = 100) {
    this.storage = storage;
    this.limit = limit;
    const text = storage.getItem("wordreel.desk.history");
    const kept = text === null ? {} : JSON.parse(text);
    this.done = kept.done ?? [];
    this.undone = kept.undone ?? [];
  }

  add(entry) {
    this.done = [...this.done, entry].slice(-this.limit);
    this.undone = [];
    this.keep();
  }

  /** Forget a key that the server refused: there is nothing to take back. */
  drop(visitId) {
    const entry = this.done.find((row) => row.visit_id === visitId) ?? null;
    this.done = this.done.filter((row) => row !== entry);
    this.keep();
    return entry;
  }

  back() {
    return this.turn(this.done, this.undone);
  }

  forth() {
    return this.turn(this.undone, this.done);
  }

  turn(from, to) {
    const entry = from.pop() ?? null;
    if (entry !== null) to.push(entry);
    this.keep();
    return entry;
  }

  keep() {
    this.storage.setItem("wordreel.desk.history", JSON.stringify({ done: this.done, undone: this.undone }));
  }
}
