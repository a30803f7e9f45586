// The way to the server: same origin, JSON, our own header. And the visits that were read through it.

export class Api {
  /** @param {string} base  such as `/api` */
  constructor(base) {
    this.base = base;
  }

  /** @returns {Promise<{status: number, body: Object}>} rejects when no server answers */
  async ask(path, body = null) {
    const headers = { "X-Wordreel": "desk", Accept: "application/json" };
    if (body !== null) headers["Content-Type"] = "application/json";
    const answer = await fetch(`${this.base}${path}`, { method: body === null ? "GET" : "POST", headers, body: body === null ? null : JSON.stringify(body), credentials: "same-origin", cache: "no-store" });
    const text = await answer.text();
    return { status: answer.status, body: parsed(text, answer.status) };
  }

  /** @param {{bundle?: string, min_score?: string, order?: string, want?: number|null, limit?: number}} filters */
  desk(filters) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ limit: 200, ...filters })) if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
    return this.ask(`/review/desk?${query}`);
  }

  visit(clipId) {
    return this.ask(`/review/visits/${encodeURIComponent(clipId)}`);
  }
}

function parsed(text, status) {
  try {
    const body = JSON.parse(text);
    if (body !== null && typeof body === "object") return body;
  } catch {
    // a proxy's page, or half an answer: named below
  }
  return { code: "bad_answer", message: `The server answered ${status} without JSON.`, hint: "Is this address Wordreel's own?" };
}

/** More visits than undo goes back over; the one that was not looked at for longest is let go first. */
const HELD_VISITS = 250;

/** Visits that were read, each once, until they are asked for anew. */
export class Visits {
  constructor(api) {
    this.api = api;
    /** @type {Map<string, import("./contract.js").Visit>} */
    this.known = new Map();
    this.pending = new Map();
  }

  get(clipId) {
    const visit = this.known.get(clipId) ?? null;
    if (visit !== null) this.set(visit);
    return visit;
  }

  set(visit) {
    this.known.delete(visit.clip_id);
    this.known.set(visit.clip_id, visit);
    if (this.known.size > HELD_VISITS) this.known.delete(this.known.keys().next().value);
  }

  /** @returns {Promise<import("./contract.js").Visit|null>} null when the server does not give it */
  read(clipId, { isFresh = false } = {}) {
    if (!isFresh && this.known.has(clipId)) return Promise.resolve(this.known.get(clipId));
    if (!this.pending.has(clipId)) this.pending.set(clipId, this.ask(clipId).finally(() => this.pending.delete(clipId)));
    return this.pending.get(clipId);
  }

  async ask(clipId) {
    let answer;
    try {
      answer = await this.api.visit(clipId);
    } catch {
      return null; // the desk shows the clip as not loaded and offers another try
    }
    if (answer.status !== 200) return null;
    this.set(answer.body);
    return answer.body;
  }

  /** Change one target of one visit. */
  change(mappingId, change) {
    for (const visit of this.known.values()) {
      if (!visit.targets.some((target) => target.mapping_id === mappingId)) continue;
      this.known.set(visit.clip_id, { ...visit, targets: visit.targets.map((target) => (target.mapping_id === mappingId ? change(target) : target)) });
    }
  }

  /** A word's approvals count in every clip that teaches it. */
  count(word, approved) {
    for (const visit of this.known.values()) {
      if (!visit.targets.some((target) => target.word === word)) continue;
      this.known.set(visit.clip_id, { ...visit, targets: visit.targets.map((target) => (target.word === word ? { ...target, approved } : target)) });
    }
  }
}
