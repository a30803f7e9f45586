// One visit, several words: which are ticked, what a key decides, when the desk stays. Pure.
import { isUnsure } from "./karaoke.js";

/** @type {{reason: string, label: string}[]} in the order of the keys 1–9 */
export const REJECT_REASONS = [
  { reason: "not_heard", label: "Not heard" },
  { reason: "wrong_sense", label: "Wrong sense" },
  { reason: "too_little_context", label: "Too little context" },
  { reason: "picture_does_not_help", label: "Picture does not help" },
  { reason: "audio_unclear", label: "Audio unclear" },
  { reason: "offensive", label: "Offensive" },
  { reason: "cut_badly", label: "Cut badly" },
  { reason: "duplicate", label: "Duplicate" },
  { reason: "other", label: "Other, with a note" },
];

export function labelOfReason(reason) {
  const found = REJECT_REASONS.find((row) => row.reason === reason);
  return found ? found.label.replace(", with a note", "") : "Rejected";
}

/** Undecided: also an approval that was taken back while it is live, until somebody decides it anew. */
export const isOpen = (target) => ["in_review", "skipped", "flagged"].includes(target.state) || (target.state === "pending_retraction" && target.undecided === true);
export const isWanted = (target) => target.approved < target.want;
export const isHeard = (target) => target.evidence.state === "heard";
export const isCaptioned = (target) => target.evidence.state === "captioned";

/** A heard word whose place in the transcript is doubtful. */
export function isDoubtful(target, words) {
  return target.evidence.occurrences.length > 0
    && target.evidence.occurrences.every((found) => isUnsure({ ...words[found.word_index], probability: found.probability }));
}

/** Whether another word of the clip starts out ticked: heard for sure, not decided, and still under its want. */
export function isTickedAtFirst(target, words) {
  return isHeard(target) && target.state === "in_review" && isWanted(target) && !isDoubtful(target, words);
}

/** Only a heard and undecided word can be approved beside another. */
export const canTick = (target) => isHeard(target) && isOpen(target);

/** Approval of a word that nobody heard needs a note. */
export const isLocked = (target, note) => target.evidence.state === "not_heard" && note.trim() === "";

/** What `A` approves: the word in focus first, then the ticked ones. */
export function approvedTogether(targets, focusId, ticks) {
  const focus = targets.filter((target) => target.mapping_id === focusId);
  return [...focus, ...targets.filter((target) => target.mapping_id !== focusId && ticks.has(target.mapping_id) && canTick(target))];
}

/** What `Shift+A` approves: every word heard in the clip that is not decided yet. */
export function approvedAll(targets, focusId) {
  const heard = targets.filter((target) => canTick(target));
  return [...heard.filter((target) => target.mapping_id === focusId), ...heard.filter((target) => target.mapping_id !== focusId)];
}

export function approveLabel(count) {
  if (count <= 1) return "Approve";
  return count === 2 ? "Approve both" : `Approve ${count}`;
}

/** The word that keeps the desk at this clip after one of it was rejected or flagged, or null. */
export function nextOpen(targets, decidedId) {
  const start = targets.findIndex((target) => target.mapping_id === decidedId);
  const around = [...targets.slice(start + 1), ...targets.slice(0, Math.max(0, start))];
  return around.find((target) => target.state === "in_review" && isWanted(target) && target.evidence.state !== "not_heard") ?? null;
}

/** The target before or after, round the end. */
export function neighbour(targets, focusId, step) {
  const at = targets.findIndex((target) => target.mapping_id === focusId);
  return targets[(at + step + targets.length) % targets.length];
}

export const STATE_AFTER = { approve: "approved", reject: "rejected", skip: "skipped", flag: "flagged" };

/** Count one approval more or fewer where a decision changes it. */
export function withState(target, state) {
  const step = Number(state === "approved") - Number(target.state === "approved");
  return { ...target, state, approved: Math.max(0, target.approved + step) };
}

const SHOWN_FEATURES = 5;

/** The chips that stand on the card: what speaks against the clip first, then what weighs most; five, or all of them when asked. */
export function featuresOf(features, areAllShown) {
  const weighed = [...features].sort((left, right) => Number(left.is_good) - Number(right.is_good) || (right.weight ?? 0) - (left.weight ?? 0));
  return areAllShown || weighed.length <= SHOWN_FEATURES ? { shown: weighed, nMore: 0 } : { shown: weighed.slice(0, SHOWN_FEATURES), nMore: weighed.length - SHOWN_FEATURES };
}

const SHOWN_TAGS = 3;

/** The bundles that are named in the top bar, and those that are only counted there. */
export function tagsOf(bundles) {
  return bundles.length <= SHOWN_TAGS ? { named: bundles, counted: [] } : { named: bundles.slice(0, SHOWN_TAGS), counted: bundles.slice(SHOWN_TAGS) };
}
