// The top bar, the row of controls under the film, and the foot.
import { pipsOf } from "./queue.js";
import { readable } from "./rail.js";
import { tagsOf } from "./targets.js";
import { h, icon, keycap, button, setText, plural, seconds } from "./dom.js";

export class Bar {
  constructor({ root, act }) {
    this.act = act;
    const part = (name) => root.querySelector(`.${name}`);
    this.parts = { now: part("now"), pos: part("pos"), bundles: part("bundles"), cover: part("cover"), place: part("place"), pace: part("pace"), saved: part("saved"), advice: part("advice"), today: part("today"), inUse: part("in-use"), film: part("film-plate"), loop: part("loop-plate") };
    part("keys-switch").append(button({ class: "quiet-button", "data-testid": "desk-keys", "aria-haspopup": "dialog", on: { click: () => act("help") } }, keycap("?"), "Keys"));
    this.placeText = h("span", { class: "place-text", "data-testid": "desk-place" });
    this.parts.place.append(
      button({ class: "key-button", "aria-label": "Previous clip", "data-testid": "desk-previous", on: { click: () => act("previous") } }, keycap("←")), this.placeText,
      button({ class: "key-button", "aria-label": "Next clip", "data-testid": "desk-next", on: { click: () => act("next") } }, keycap("→")));
  }

  drawWord(target) {
    const { now, pos, bundles, cover } = this.parts;
    setText(now, target.word);
    now.classList.toggle("long", target.word.length > 18);
    setText(pos, target.pos);
    const { named, counted } = tagsOf(target.bundles);
    const rest = counted.length > 0 ? [h("span", { class: "bundle counted", title: counted.map(readable).join(", ") }, `+${counted.length}`)] : [];
    bundles.replaceChildren(...named.map((name) => h("span", { class: "bundle", title: readable(name) }, readable(name))), ...rest);
    const pips = pipsOf(target.approved, target.want).map((kind) => h("i", { class: `pip ${kind}` }));
    cover.replaceChildren(h("span", { class: "pips", "aria-hidden": "true" }, ...pips), h("span", {}, `${target.approved} of ${target.want} approved`));
  }

  drawPlace(place, total, pace) {
    this.placeText.replaceChildren(h("b", {}, String(place)), ` of ${total}`);
    setText(this.parts.pace, pace ? `${Math.round(pace)} a minute` : "");
  }

  /**
   * The dot and its word; `notice` (conflict, undo) is said in its place while nothing waits.
   * @param {{state: string, nWaiting: number}} outbox
   * @param {{icon: string, tone: string, text: string, detail: string, action: {label: string, key?: string, run: () => void}|null}|null} notice
   */
  drawSaved(outbox, notice) {
    const look = savedLook(outbox, notice);
    if (look.text === this.savedText && look.notice === this.savedNotice) return;
    Object.assign(this, { savedText: look.text, savedNotice: look.notice });
    const { saved } = this.parts;
    saved.dataset.state = look.state;
    saved.title = look.detail;
    const action = look.action ? button({ class: "link", "data-testid": "desk-saved-action", on: { click: look.action.run } }, look.action.label, look.action.key ? keycap(look.action.key) : null) : null;
    saved.replaceChildren(look.icon ? icon(look.icon, 16, look.tone) : h("i", { class: "dot", "aria-hidden": "true" }), h("span", { class: `saved-word ${look.tone}` }, look.text), ...(action ? [action] : []));
  }

  drawFoot(desk, advice) {
    if (advice.text !== this.adviceText) {
      this.adviceText = advice.text;
      this.parts.advice.replaceChildren(advice.text === "" ? "" : icon(advice.icon, 15), h("span", {}, advice.text, ...(advice.keys ?? []).flatMap((key) => [" ", keycap(key)])));
    }
    const { decided, approved, rejected } = desk.today;
    setText(this.parts.today, `Today ${decided} decided · ${approved} approved · ${rejected} rejected${desk.parked > 0 ? ` · ${plural(desk.parked, "full word")} parked` : ""}`);
    this.parts.inUse.replaceChildren(h("span", {}, icon("psychology", 15), desk.providers.judge), h("span", {}, icon("hearing", 15), desk.providers.transcriber));
  }

  drawPlates(visit, loopText) {
    const of = visit.n_of_film && visit.n_of_film[1] > 1 ? `${visit.n_of_film[0]} of ${visit.n_of_film[1]} clips of this film` : "";
    const aside = [visit.film_year, of].filter(Boolean).join(" · ");
    this.parts.film.replaceChildren(h("b", {}, visit.film_title || visit.title), ` ${aside}`, ...(visit.is_demo ? [h("span", { class: "demo" }, "Demo")] : []));
    this.parts.loop.hidden = loopText === "";
    this.parts.loop.replaceChildren(icon("repeat", 15), loopText);
  }
}

/** What is said beside the dot. "Saved" only when nothing waits. */
export function savedLook(outbox, notice) {
  if (outbox.state === "unsaved") {
    return { state: "unsaved", icon: "cloud_off", tone: "warn", text: `Not saved yet: ${outbox.nWaiting}`, detail: "The server does not answer. They are kept in this tab and sent again every 5 s.", action: outbox.retry ?? null, notice: null };
  }
  if (notice) return { state: notice.state, icon: notice.icon, tone: notice.tone, text: notice.text, detail: notice.detail, action: notice.action, notice };
  if (outbox.state === "saving") return { state: "saving", icon: "sync", tone: "accent", text: `Saving ${outbox.nWaiting}`, detail: "You can go on; the keys do not wait.", action: null, notice: null };
  return { state: "saved", icon: "", tone: "ok", text: "Saved", detail: "Every decision is in the database.", action: null, notice: null };
}

export class Controls {
  constructor({ root, act }) {
    this.act = act;
    this.box = root.querySelector(".controls");
    const control = (name, action, label, symbol, key, word = "") => button({ class: `control ${name}`, "aria-label": label, title: label, "data-testid": `desk-${name}`, on: { click: () => act(action) } },
      icon(symbol, 20), word ? h("span", { class: "control-word" }, word) : null, key ? keycap(key) : null);
    this.play = control("play", "play", "Play", "play_arrow", "Space");
    this.wordLoop = control("loop", "loop", "Loop the word", "repeat", "W", "Word");
    this.speed = button({ class: "control speed", "aria-label": "Speed", "data-testid": "desk-speed", on: { click: () => act("speed") } }, "1×");
    this.sound = control("sound", "mute", "Mute", "volume_up", "");
    this.now = h("b", {}, "0.00");
    this.whole = h("span", {}, " / 0.00");
    this.box.append(this.play, control("back", "back", "Back 1 s", "replay", "J"), control("forward", "forward", "Forward 1 s", "replay", "L"),
      h("span", { class: "clock", "data-testid": "desk-clock" }, this.now, this.whole), h("i", { class: "divider" }),
      this.wordLoop, control("sentence", "sentence", "Play the sentence, then pause", "format_quote", "E", "Sentence"),
      control("correct", "correct", "Correct the spoken text", "edit", "T"), h("i", { class: "spring" }), this.speed, this.sound);
  }

  draw(player) {
    const isPlaying = player.wantsPlay;
    setText(this.play.querySelector(".icon"), isPlaying ? "pause" : "play_arrow");
    this.play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    this.play.classList.toggle("on", isPlaying);
    this.wordLoop.classList.toggle("on", player.isLooping);
    this.wordLoop.setAttribute("aria-pressed", String(player.isLooping));
    setText(this.speed, `${player.speed}×`);
    setText(this.sound.querySelector(".icon"), player.isMuted ? "volume_off" : "volume_up");
    this.sound.setAttribute("aria-label", player.isMuted ? "Sound on" : "Mute");
  }

  clock(time_s, duration_s) {
    setText(this.now, seconds(time_s));
    setText(this.whole, ` / ${seconds(duration_s)}`);
  }
}
