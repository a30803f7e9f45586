// What captions, recognition and judge say differently. Pure.

const EDGE = /^[^\p{L}\p{N}]*|[^\p{L}\p{N}]*$/gu;

/** A word as it is compared: no case, no punctuation at its ends, one kind of apostrophe. */
export function folded(word) {
  return word.replace(EDGE, "").replace(/[’‘]/g, "'").toLowerCase();
}

/** Split a word into what stands before it, itself, and the punctuation after it. */
export function parted(text) {
  const [, before, core, after] = /^([^\p{L}\p{N}]*)(.*?)([^\p{L}\p{N}]*)$/su.exec(text);
  return core === "" ? { before: "", core: text, after: "" } : { before, core, after };
}

export const tokensOf = (text) => text.split(/\s+/).filter((token) => token !== "");

/**
 * Mark the words of `text` that `other` does not have at that place (longest common subsequence, words folded).
 * @returns {{text: string, differs: boolean}[]}
 */
export function marked(text, other) {
  const left = tokensOf(text);
  const kept = common(left.map(folded), tokensOf(other).map(folded));
  return left.map((token, index) => ({ text: token, differs: !kept.has(index) && folded(token) !== "" }));
}

/** Indices of `left` that belong to the longest common subsequence with `right`. */
function common(left, right) {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      lengths[row][column] = left[row] === right[column] ? lengths[row + 1][column + 1] + 1 : Math.max(lengths[row + 1][column], lengths[row][column + 1]);
    }
  }
  const kept = new Set();
  for (let row = 0, column = 0; row < left.length && column < right.length; ) {
    if (left[row] === right[column]) [row, column] = [kept.add(row) && row + 1, column + 1];
    else if (lengths[row + 1][column] >= lengths[row][column + 1]) row += 1;
    else column += 1;
  }
  return kept;
}

export const isSameText = (left, right) => tokensOf(left).map(folded).join(" ") === tokensOf(right).map(folded).join(" ");

/** True when `part` is said, word for word, inside `whole`. */
export function isWithin(part, whole) {
  const words = tokensOf(part).map(folded).filter(Boolean).join(" ");
  return ` ${tokensOf(whole).map(folded).filter(Boolean).join(" ")} `.includes(` ${words} `);
}

/**
 * The lines below the transcript: nothing when all sources agree with the spoken text.
 * @param {{captions: string, recognition: string, judge_text: string, words: import("./contract.js").Word[]}} visit
 * @returns {{source: string, icon: string, parts: {text: string, differs: boolean}[], aside: string, tone: string}[]}
 */
export function compareLines(visit) {
  const spoken = visit.words.map((word) => word.text).join(" ");
  const { captions, recognition, judge_text: judged } = visit;
  const reference = recognition || spoken;
  const differing = [captions, recognition].filter((text) => text && !isSameText(text, spoken));
  const isJudgeApart = Boolean(judged) && !isWithin(judged, spoken);
  if (differing.length === 0 && !isJudgeApart) return [];
  const lines = [];
  if (captions) lines.push({ source: "Captions", icon: "closed_caption", parts: marked(captions, reference), aside: "", tone: "" });
  if (recognition) lines.push({ source: "Recognition", icon: "hearing", parts: marked(recognition, captions || spoken), aside: doubtOf(visit), tone: "warn" });
  if (judged) lines.push(judgeLine(visit, isJudgeApart));
  return lines;
}

function judgeLine({ judge_text: judged, captions, recognition }, isApart) {
  const fromCaptions = isWithin(judged, captions) && recognition !== "" && !isWithin(judged, recognition);
  const aside = fromCaptions ? "from captions" : isApart ? "not in the text" : "✓ same";
  return { source: "Judge", icon: "psychology", parts: [{ text: `“${judged}”`, differs: false }], aside, tone: fromCaptions ? "quiet" : isApart ? "warn" : "ok" };
}

function doubtOf(visit) {
  const sure = visit.words.map((word) => word.probability).filter((value) => value !== null && value !== undefined);
  const least = sure.length > 0 ? Math.min(...sure) : null;
  return least !== null && least < 0.5 ? `p ${least.toFixed(2)}` : "";
}

/** Shorten a marked line so that its first difference can be seen: drop the words long before it. */
export function around(parts, before = 7) {
  const first = parts.findIndex((part) => part.differs);
  if (first <= before) return parts;
  return [{ text: "…", differs: false }, ...parts.slice(first - before)];
}

/** Neighbouring words of one kind as one run, so that a difference of two words is one mark. */
export function runsOf(parts) {
  const runs = [];
  for (const part of parts) {
    const last = runs[runs.length - 1];
    if (last && last.differs === part.differs) last.text += ` ${part.text}`;
    else runs.push({ ...part });
  }
  return runs;
}
