// The sound as a picture: peaks, a tick a word, the loop with two handles, the target, doubt, the playhead.
import { isUnsure } from "./karaoke.js";
import { h, seconds } from "./dom.js";

const SIDE_PX = 16;
const HEIGHT_PX = 82;
const AXIS_PX = 17;
const SHORTEST_LOOP_S = 0.2;

export const xOf = (time_s, duration_s, width_px) => SIDE_PX + (time_s / duration_s) * (width_px - 2 * SIDE_PX);

export function timeAt(x_px, duration_s, width_px) {
  const share = (x_px - SIDE_PX) / Math.max(1, width_px - 2 * SIDE_PX);
  return Math.min(duration_s, Math.max(0, share * duration_s));
}

/** Move one edge of a loop, never past the other. */
export function movedLoop(loop, edge, time_s, duration_s) {
  if (edge === "start_s") return { ...loop, start_s: Math.max(0, Math.min(time_s, loop.end_s - SHORTEST_LOOP_S)) };
  return { ...loop, end_s: Math.min(duration_s, Math.max(time_s, loop.start_s + SHORTEST_LOOP_S)) };
}

/** Whole seconds for the axis, at most about nine of them. */
export function axisSteps(duration_s) {
  const step_s = duration_s <= 9.5 ? 1 : duration_s <= 19 ? 2 : 5;
  return Array.from({ length: Math.floor(duration_s / step_s) + 1 }, (_, index) => index * step_s);
}

/** One bar for every `pitch_px`, each the loudest peak it covers. */
export function barsOf(peaks, width_px, pitch_px = 4) {
  const count = Math.max(1, Math.floor((width_px - 2 * SIDE_PX) / pitch_px));
  return Array.from({ length: count }, (_, index) => {
    const first = Math.floor((index * peaks.length) / count);
    const end = Math.max(first + 1, Math.floor(((index + 1) * peaks.length) / count));
    return Math.max(0, ...peaks.slice(first, end));
  });
}

export class Waveform {
  /** @param {{root: ParentNode, colours: () => Object, onSeek: (time_s: number, isDone: boolean) => void, onLoop: (loop: {start_s: number, end_s: number}) => void}} parts */
  constructor({ root, colours, onSeek, onLoop }) {
    Object.assign(this, { colours, onSeek, onLoop });
    this.box = root.querySelector(".wave");
    this.canvas = this.box.querySelector("canvas");
    this.head = this.box.querySelector(".playhead");
    this.handles = { start_s: this.handle("start_s", "Loop start"), end_s: this.handle("end_s", "Loop end") };
    this.width_px = 0;
    this.box.addEventListener("pointerdown", (event) => this.pressed(event));
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.box);
  }

  stop() {
    this.watch.disconnect();
  }

  handle(edge, label) {
    const node = h("div", { class: `handle handle-${edge === "start_s" ? "start" : "end"}`, role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": "0", "data-testid": `desk-handle-${edge === "start_s" ? "start" : "end"}` });
    node.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      event.preventDefault();
      this.drag(event, (time_s) => this.onLoop(movedLoop(this.loop, edge, time_s, this.visit.duration_s)));
    });
    node.addEventListener("keydown", (event) => {
      const step_s = { ArrowLeft: -0.04, ArrowRight: 0.04 }[event.key];
      if (step_s === undefined) return;
      event.stopPropagation();
      event.preventDefault();
      this.onLoop(movedLoop(this.loop, edge, this.loop[edge] + step_s, this.visit.duration_s));
    });
    this.box.append(node);
    return node;
  }

  pressed(event) {
    if (!this.visit || event.button !== 0) return;
    event.preventDefault();
    this.onSeek(this.timeOf(event), false);
    this.drag(event, (time_s, isDone) => this.onSeek(time_s, isDone));
  }

  drag(event, move) {
    this.box.setPointerCapture(event.pointerId);
    const onMove = (next) => move(this.timeOf(next), false);
    const onUp = (next) => {
      this.box.removeEventListener("pointermove", onMove);
      move(this.timeOf(next), true);
    };
    this.box.addEventListener("pointermove", onMove);
    this.box.addEventListener("pointerup", onUp, { once: true });
  }

  timeOf(event) {
    return timeAt(event.clientX - this.box.getBoundingClientRect().left, this.visit.duration_s, this.width_px);
  }

  resized() {
    this.width_px = this.box.clientWidth;
    this.draw();
  }

  show(visit, target, loop, isLooping) {
    Object.assign(this, { visit, target, loop, isLooping });
    if (this.width_px === 0) this.width_px = this.box.clientWidth;
    this.draw();
  }

  /** Put the playhead; called at every frame. */
  at(time_s) {
    if (!this.visit || this.width_px === 0) return;
    this.head.style.transform = `translateX(${xOf(time_s, this.visit.duration_s, this.width_px).toFixed(1)}px)`;
  }

  draw() {
    if (!this.visit || this.width_px === 0) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width_px * scale);
    this.canvas.height = Math.round(HEIGHT_PX * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const x = (time_s) => xOf(time_s, this.visit.duration_s, this.width_px);
    const tone = this.colours();
    const wave_px = HEIGHT_PX - AXIS_PX;
    const span = this.target?.evidence.occurrences[0] ?? null;
    const isCaptioned = this.target?.evidence.state === "captioned";
    this.drawLoop(pen, x, wave_px, tone);
    if (span) this.drawTarget(pen, x, wave_px, tone, span, isCaptioned);
    this.drawBars(pen, wave_px, tone, span, isCaptioned);
    this.drawWords(pen, x, wave_px, tone);
    this.drawAxis(pen, x, wave_px, tone, span, isCaptioned);
    this.placeHandles(x);
  }

  drawLoop(pen, x, wave_px, tone) {
    if (!this.isLooping || !this.loop) return;
    const [left, right] = [x(this.loop.start_s), x(this.loop.end_s)];
    pen.fillStyle = tone.loop;
    pen.fillRect(left, 0, right - left, wave_px);
    pen.fillStyle = tone.accentInk;
    for (const [edge, lean] of [[left, 1], [right, -1]]) {
      pen.fillRect(edge - 1, 0, 2, wave_px);
      pen.beginPath();
      pen.moveTo(edge - lean, 0);
      pen.lineTo(edge + 8 * lean, 0);
      pen.lineTo(edge - lean, 9);
      pen.fill();
    }
  }

  drawTarget(pen, x, wave_px, tone, span, isCaptioned) {
    const [left, right] = [x(span.start_s), x(span.end_s)];
    pen.fillStyle = isCaptioned ? tone.warnTint : tone.target;
    pen.fillRect(left, 0, right - left, wave_px);
    if (!isCaptioned) return;
    pen.strokeStyle = tone.warn;
    pen.lineWidth = 2;
    pen.setLineDash([4, 3]);
    pen.strokeRect(left, 1, right - left, wave_px - 2);
    pen.setLineDash([]);
  }

  drawBars(pen, wave_px, tone, span, isCaptioned) {
    const middle = wave_px / 2 + 3;
    const bars = barsOf(this.visit.peaks, this.width_px);
    const inner_px = this.width_px - 2 * SIDE_PX;
    for (const [index, peak] of bars.entries()) {
      const at = SIDE_PX + ((index + 0.5) * inner_px) / bars.length;
      const time_s = timeAt(at, this.visit.duration_s, this.width_px);
      const isTarget = span && time_s >= span.start_s && time_s < span.end_s;
      const half = Math.max(0.5, peak * (wave_px / 2 - 8));
      pen.fillStyle = isTarget && !isCaptioned ? tone.accent : tone.bar;
      if (half < 1) pen.fillRect(at - 0.75, middle - 0.5, 1.5, 1);
      else pen.fillRect(at - 1, middle - half, 2, 2 * half);
    }
  }

  drawWords(pen, x, wave_px, tone) {
    for (const word of this.visit.words) {
      pen.fillStyle = tone.bar;
      pen.fillRect(Math.round(x(word.start_s)), 0, 1, 5);
      if (!isUnsure(word)) continue;
      pen.fillStyle = tone.warn;
      for (let dot = x(word.start_s); dot < x(word.end_s); dot += 4) pen.fillRect(dot, wave_px - 5, 2, 2);
    }
  }

  drawAxis(pen, x, wave_px, tone, span, isCaptioned) {
    pen.fillStyle = tone.line;
    pen.fillRect(0, wave_px, this.width_px, 1);
    pen.textBaseline = "middle";
    const y = wave_px + AXIS_PX / 2 + 1;
    const name = span ? `${this.target.word}${isCaptioned ? ", caption," : ""} ${span.start_s.toFixed(isCaptioned ? 1 : 2)}–${span.end_s.toFixed(isCaptioned ? 1 : 2)}` : "";
    pen.font = `600 11px ${tone.font}`;
    const half = pen.measureText(name).width / 2;
    const centre = span ? Math.min(this.width_px - SIDE_PX - half, Math.max(SIDE_PX + half, (x(span.start_s) + x(span.end_s)) / 2)) : 0;
    pen.textAlign = "center";
    pen.fillStyle = isCaptioned ? tone.warn : tone.accentInk;
    if (span) pen.fillText(name, centre, y);
    pen.font = `400 11px ${tone.font}`;
    pen.fillStyle = tone.quiet;
    for (const step_s of axisSteps(this.visit.duration_s)) {
      const text = step_s === 0 ? "0 s" : String(step_s);
      if (span && Math.abs(x(step_s) - centre) < half + 12) continue;
      pen.textAlign = step_s === 0 ? "left" : "center";
      pen.fillText(text, x(step_s), y);
    }
  }

  placeHandles(x) {
    for (const [edge, node] of Object.entries(this.handles)) {
      node.hidden = !this.isLooping || !this.loop;
      if (node.hidden) continue;
      node.style.transform = `translateX(${x(this.loop[edge]).toFixed(1)}px)`;
      node.setAttribute("aria-valuemax", seconds(this.visit.duration_s));
      node.setAttribute("aria-valuenow", seconds(this.loop[edge]));
      node.setAttribute("aria-valuetext", `${seconds(this.loop[edge])} seconds`);
    }
  }
}
