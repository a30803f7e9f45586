// Playback: a pool of video elements, each loaded and standing at the start of its loop, of which one is seen.
import { gainFor, hasPassedEnd, hasPlayed } from "./karaoke.js";
import { h } from "./dom.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5];

/**
 * @typedef {Object} Slot
 * @property {string} clip_id
 * @property {HTMLVideoElement} video
 * @property {"loading"|"ready"|"failed"} state
 * @property {"gone"|"unplayable"|"unreachable"|""} fault
 * @property {number} start_s  where its loop begins
 */

export class Player {
  /** @param {{stage: HTMLElement, onTime: (time_s: number) => void, onState: () => void}} parts */
  constructor({ stage, onTime, onState }) {
    Object.assign(this, { stage, onTime, onState });
    /** @type {Map<string, Slot>} */
    this.slots = new Map();
    this.spare = [];
    this.slot = null;
    this.loop = null;
    this.isLooping = true;
    this.stopAt_s = null;
    this.speed = 1;
    this.isMuted = false;
    this.hasSound = false;
    this.before_s = 0;
    this.watched_s = 0;
    this.targetPlays = 0;
    this.targetSpan = null;
    this.frame = requestAnimationFrame(() => this.tick());
  }

  get video() {
    return this.slot?.video ?? null;
  }

  get isPlaying() {
    return Boolean(this.video && !this.video.paused);
  }

  get time_s() {
    return this.video?.currentTime ?? 0;
  }

  /** Load a clip into its own element, seek to the start of its loop, and leave it there, decoded. */
  prepare(visit, start_s) {
    const known = this.slots.get(visit.clip_id);
    if (known && known.state !== "failed") return known;
    if (known) this.release(visit.clip_id);
    const video = this.spare.pop() ?? this.element();
    const slot = { clip_id: visit.clip_id, video, state: "loading", fault: "", start_s, url: "", lufs: visit.loudness_lufs, abort: new AbortController() };
    video.dataset.clip = visit.clip_id;
    this.slots.set(visit.clip_id, slot);
    void this.fill(slot, visit.media_url);
    return slot;
  }

  element() {
    const video = h("video", { playsinline: true, preload: "auto", tabindex: "-1", "aria-hidden": "true", class: "film" });
    video.addEventListener("ended", () => this.ended(video));
    this.stage.prepend(video);
    return video;
  }

  /** The end came before a frame did (a tab in the background draws none): go round, or stand still. */
  ended(video) {
    if (video !== this.video) return;
    if (this.isLooping && this.loop) {
      this.seek(this.loop.start_s);
      return this.play();
    }
    this.wantsPlay = false;
    this.onState();
  }

  async fill(slot, url) {
    try {
      const answer = await fetch(url, { signal: slot.abort.signal, credentials: "same-origin" });
      if (!answer.ok) return this.fail(slot, answer.status === 404 || answer.status === 410 ? "gone" : "unreachable");
      slot.url = URL.createObjectURL(await answer.blob());
    } catch {
      return slot.abort.signal.aborted ? undefined : this.fail(slot, "unreachable");
    }
    if (slot.abort.signal.aborted) return URL.revokeObjectURL(slot.url);
    const { video } = slot;
    video.addEventListener("error", () => this.fail(slot, "unplayable"), { once: true, signal: slot.abort.signal });
    video.addEventListener("loadedmetadata", () => { video.currentTime = slot.start_s; }, { once: true, signal: slot.abort.signal });
    video.addEventListener("seeked", () => this.ready(slot), { once: true, signal: slot.abort.signal });
    video.src = slot.url;
    video.load();
  }

  ready(slot) {
    slot.state = "ready";
    if (slot === this.slot) this.begin();
    this.onState();
  }

  fail(slot, fault) {
    Object.assign(slot, { state: "failed", fault });
    this.onState();
  }

  release(clipId) {
    const slot = this.slots.get(clipId);
    if (!slot) return;
    slot.abort.abort();
    this.slots.delete(clipId);
    slot.video.pause();
    slot.video.classList.remove("seen");
    slot.video.removeAttribute("src");
    slot.video.load();
    if (slot.url) URL.revokeObjectURL(slot.url);
    this.spare.push(slot.video);
  }

  /** Let go of every clip that is not named. */
  keep(clipIds) {
    for (const clipId of [...this.slots.keys()]) if (!clipIds.has(clipId) && clipId !== this.slot?.clip_id) this.release(clipId);
  }

  /** Put every clip that is not seen back to the start of its loop, so that going back is instant too. */
  rewind() {
    for (const slot of this.slots.values()) {
      if (slot !== this.slot && slot.state === "ready" && Math.abs(slot.video.currentTime - slot.start_s) > 0.05) slot.video.currentTime = slot.start_s;
    }
  }

  /** Swap to a prepared clip in place. `isPlaying` false leaves it at its first frame. */
  show(clipId, { loop, span, isPlaying }) {
    const slot = this.slots.get(clipId) ?? null;
    const last = this.slot;
    if (last && last !== slot) {
      last.video.pause();
      last.video.classList.remove("seen");
    }
    Object.assign(this, { slot, loop, targetSpan: span, isLooping: loop !== null, stopAt_s: null, watched_s: 0, targetPlays: 0, wantsPlay: isPlaying });
    if (slot === null) return;
    slot.video.classList.add("seen");
    if (slot.state === "ready") this.begin();
  }

  begin() {
    const { video } = this.slot;
    if (this.loop && Math.abs(video.currentTime - this.loop.start_s) > 0.05) video.currentTime = this.loop.start_s;
    this.before_s = video.currentTime;
    video.playbackRate = this.speed;
    video.muted = this.isMuted;
    this.level();
    video.requestVideoFrameCallback?.(() => performance.mark("wordreel:frame", { detail: this.slot?.clip_id }));
    if (this.wantsPlay) this.play();
  }

  play() {
    this.wantsPlay = true;
    if (this.slot?.state !== "ready") return;
    const { video } = this;
    video.play().then(() => this.onState(), (error) => {
      if (error.name === "AbortError") return; // the next clip was shown meanwhile
      this.wantsPlay = false;
      this.onState();
    });
    this.onState();
  }

  pause() {
    this.wantsPlay = false;
    this.video?.pause();
    this.onState();
  }

  toggle() {
    this.stopAt_s = null;
    if (this.isPlaying) this.pause();
    else this.play();
  }

  seek(time_s) {
    if (!this.video || this.slot.state !== "ready") return;
    const duration_s = this.video.duration || 0;
    this.video.currentTime = Math.min(Math.max(0, time_s), Math.max(0, duration_s - 0.01));
    this.before_s = this.video.currentTime;
    this.onTime(this.before_s);
  }

  /** Play a span once and stand still at its end. */
  playOnce(span) {
    this.seek(span.start_s);
    this.stopAt_s = span.end_s;
    this.play();
  }

  setLoop(loop, isLooping) {
    Object.assign(this, { loop, isLooping, stopAt_s: null });
  }

  changeSpeed(step) {
    const at = SPEEDS.indexOf(this.speed);
    this.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + step))];
    if (this.video) this.video.playbackRate = this.speed;
    this.onState();
  }

  setMuted(isMuted) {
    this.isMuted = isMuted;
    if (this.video) this.video.muted = isMuted;
    this.onState();
  }

  /** Sound may begin: called inside a click or a key press. */
  unlock() {
    if (this.hasSound) return;
    this.hasSound = true;
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (!Context) return;
    this.audio = new Context({ latencyHint: "interactive" });
    this.audio.resume().then(() => this.level(), () => { this.audio = null; });
  }

  /** Bring this clip to the common loudness: by a gain where Web Audio runs, else by the element's own volume (which cannot amplify). */
  level() {
    if (!this.slot) return;
    const gain = gainFor(this.slot.lufs);
    const { video } = this.slot;
    if (this.audio?.state !== "running") { video.volume = video.gainNode ? 1 : Math.min(1, gain); return; }
    if (!video.gainNode) {
      video.gainNode = this.audio.createGain();
      this.audio.createMediaElementSource(video).connect(video.gainNode).connect(this.audio.destination);
    }
    video.volume = 1;
    video.gainNode.gain.value = gain;
  }

  tick() {
    this.frame = requestAnimationFrame(() => this.tick());
    const { video } = this;
    if (!video || this.slot.state !== "ready") return;
    const now_s = video.currentTime;
    if (!video.paused && !video.seeking) this.advance(now_s);
    this.onTime(video.currentTime);
  }

  advance(now_s) {
    const step_s = now_s - this.before_s;
    if (step_s > 0 && step_s < 1) this.watched_s += step_s;
    if (this.targetSpan && hasPlayed(this.before_s, now_s, this.targetSpan)) this.targetPlays += 1;
    const isAtEnd = isAtItsEnd(this.video);
    if (this.stopAt_s !== null && hasPassedEnd(this.before_s, now_s, this.stopAt_s)) {
      this.stopAt_s = null;
      this.pause();
    } else if (this.isLooping && this.loop && (isAtEnd || hasPassedEnd(this.before_s, now_s, this.loop.end_s))) {
      this.video.currentTime = this.loop.start_s;
      this.before_s = this.loop.start_s;
      return;
    }
    this.before_s = now_s;
  }

  stop() {
    cancelAnimationFrame(this.frame);
    for (const clipId of [...this.slots.keys()]) this.release(clipId);
    this.slot = null;
    if (this.audio && this.audio.state !== "closed") void this.audio.close();
    this.audio = null;
  }
}

/** At the very end an element pauses by itself: catch it a moment before. */
function isAtItsEnd(video) {
  return video.ended || video.currentTime >= video.duration - 0.04;
}
