// Which word is being said at a moment, and the short loop around a word. Pure: times in, indices out.

/** A pause between two words shorter than this keeps the earlier one lit, so that nothing flickers. */
export const BRIDGE_S = 0.1;
/** How much is played on either side of the word in focus. */
export const LOOP_PAD_S = 1;
/** Below this the recogniser itself doubts the word. */
export const UNSURE_BELOW = 0.5;

/**
 * The word spoken at `time_s`.
 * @param {{start_s: number, end_s: number}[]} words ascending by start
 * @returns {number} its index, or -1 in a silence
 */
export function wordAt(words, time_s, bridge_s = BRIDGE_S) {
  const index = lastStarted(words, time_s);
  if (index < 0 || time_s < words[index].end_s) return index;
  const next = words[index + 1];
  return next && next.start_s - words[index].end_s < bridge_s ? index : -1;
}

/** The last word that has begun at `time_s`, or -1. */
export function lastStarted(words, time_s) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start_s <= time_s) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The sentence that holds a word, as an index into `sentences` (half-open ranges of word indices), or -1. */
export function sentenceOf(sentences, wordIndex) {
  return sentences.findIndex(([first, end]) => wordIndex >= first && wordIndex < end);
}

/** Start and end of a sentence in seconds. */
export function sentenceSpan(words, sentence) {
  return { start_s: words[sentence[0]].start_s, end_s: words[sentence[1] - 1].end_s };
}

/** The loop around a span, inside the clip. */
export function loopAround(span, duration_s, pad_s = LOOP_PAD_S) {
  return { start_s: Math.max(0, span.start_s - pad_s), end_s: Math.min(duration_s, span.end_s + pad_s) };
}

/** True when playback ran over the loop's end; a seek beyond it is the curator's wish and stays. */
export function hasPassedEnd(before_s, now_s, end_s) {
  return before_s < end_s && now_s >= end_s;
}

/** True when playback ran over the word's middle: that counts as having played it once. */
export function hasPlayed(before_s, now_s, span) {
  const middle_s = (span.start_s + span.end_s) / 2;
  return before_s < middle_s && now_s >= middle_s && now_s - before_s < 0.5;
}

/** A word whose recognition or time is doubtful. */
export function isUnsure(word) {
  return Boolean(word.fault) || (word.probability !== null && word.probability !== undefined && word.probability < UNSURE_BELOW);
}

/**
 * How each word is marked: the targets' boxes and the doubt.
 * @returns {{box: ""|"target"|"teaches", isCaptioned: boolean, isUnsure: boolean, mapping_id: string|null}[]}
 */
export function marksOf(words, targets, focusId) {
  const marks = words.map((word) => ({ box: "", isCaptioned: false, isUnsure: isUnsure(word), mapping_id: null }));
  const inOrder = [...targets].sort((left, right) => Number(left.mapping_id === focusId) - Number(right.mapping_id === focusId));
  for (const target of inOrder) {
    for (const found of target.evidence.occurrences) {
      for (let index = found.word_index; index < found.word_index + found.n_words; index += 1) {
        if (!marks[index]) continue;
        const isFocus = target.mapping_id === focusId;
        Object.assign(marks[index], { box: isFocus ? "target" : "teaches", mapping_id: target.mapping_id, isCaptioned: target.evidence.state === "captioned" });
      }
    }
  }
  return marks;
}

/** Gain that brings a clip to one loudness, between a quarter and four times; 1 where the loudness is unknown. */
export function gainFor(loudness_lufs, wanted_lufs = -18) {
  if (loudness_lufs === null || loudness_lufs === undefined || !Number.isFinite(loudness_lufs)) return 1;
  return Math.min(4, Math.max(0.25, 10 ** ((wanted_lufs - loudness_lufs) / 20)));
}
