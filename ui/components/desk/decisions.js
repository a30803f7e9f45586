// What a deciding key does: the words change at once on the screen, the letters go to the outbox, the history remembers.
import { STATE_AFTER, labelOfReason, withState } from "./targets.js";

export const OUTCOMES = { approve: "Approved", reject: "Rejected", skip: "Skipped", flag: "Second opinion" };
const TAKEN_BACK = { approve: "approval", reject: "rejection", skip: "skip", flag: "flag" };

/** A new random key; also where the page is not on a secure origin. */
export function freshId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * The letters of one key: one for each target, all under one visit_id.
 * @param {{visit: Object, targets: Object[], decision: string, reasons: string[], draftOf: (target: Object) => {score: number|null, note: string}, watched_s: number, target_plays: number, visit_id: string}} key
 * @returns {import("./saving.js").Letter[]}
 */
export function decisionLetters({ visit, targets, decision, reasons, draftOf, watched_s, target_plays, visit_id }) {
  return targets.map((target, index) => {
    const draft = draftOf(target);
    return {
      id: freshId(), kind: "decision", word: target.word, clip_id: visit.clip_id, mapping_id: target.mapping_id,
      path: `/mappings/${encodeURIComponent(target.mapping_id)}/decisions`,
      body: {
        decision, reasons, score: draft.score, note: draft.note.trim(), version: target.version, visit_id,
        proposal_id: target.proposal?.proposal_id ?? null, transcript_id: visit.transcript_id, score_visible: true,
        watched_s: Math.round(watched_s * 100) / 100, target_plays: index === 0 ? target_plays : 0,
      },
    };
  });
}

/** What undo needs to know of one key. */
export function historyEntry({ visit_id, head, targets, decision, reasons, hasEnded }) {
  const label = decision === "reject" && reasons.length > 0 ? labelOfReason(reasons[0]) : OUTCOMES[decision];
  return {
    visit_id, head, decision, hasEnded, outcome: { kind: decision, label },
    words: targets.map((target) => ({ mapping_id: target.mapping_id, word: target.word, before: target.state, after: STATE_AFTER[decision] })),
  };
}

/** Write states into the cached visits and the queue; `side` is `before` or `after`. */
export function applyStates({ visits, queue }, entry, side) {
  for (const { mapping_id, word } of entry.words) {
    const state = entry.words.find((row) => row.mapping_id === mapping_id)[side];
    let approved = null;
    visits.change(mapping_id, (target) => {
      const changed = withState(target, state);
      approved = changed.approved;
      return changed;
    });
    if (approved === null) continue;
    visits.count(word, approved);
    queue.count(word, approved);
  }
}

/** Move today's figures by one key, forward or back. */
export function countToday(today, entry, sign) {
  const n = entry.words.length;
  return {
    ...today,
    decided: Math.max(0, today.decided + sign * (entry.decision === "skip" ? 0 : n)),
    approved: Math.max(0, today.approved + sign * (entry.decision === "approve" ? n : 0)),
    rejected: Math.max(0, today.rejected + sign * (entry.decision === "reject" ? n : 0)),
  };
}

export function takenBackText(entry) {
  return `${entry.words[0].word}: ${TAKEN_BACK[entry.decision]} taken back`;
}

/** Decisions a minute over the last five minutes, or null while there are fewer than three. */
export function paceOf(times_ms, now_ms) {
  const recent = times_ms.filter((time_ms) => now_ms - time_ms < 300000);
  if (recent.length < 3) return null;
  return recent.length / Math.max(0.25, (now_ms - recent[0]) / 60000);
}
