// Links of our own pages inside `st.html` change the page without loading it anew. A click with a modifier, or before this
// file is there, is an ordinary link.

export function wayOf(href, origin) {
  const url = new URL(href, origin);
  if (url.origin !== origin || url.hash) return null;
  const name = nameOf(url.pathname);
  if (name.includes("/")) return null;
  return { name, query: Object.fromEntries(url.searchParams) };
}

export function nameOf(pathname) {
  return pathname.replace(/^\/|\/$/g, "");
}

// Another page: as the browser's Back and Forward go there. Streamlit then stops the timers of the page that is left, at once and
// before it asks for the new one; a change that the server makes (`st.switch_page`) can meet one of their turns and end blank.
function goTo(href) {
  window.history.pushState({}, "", href);
  window.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

const LOST_CLICK_MS = 80;
const STEADY_PX = 6;

export function isPlain(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

let held = null; // the link that is pressed; it outlives a new mount of this component

export default function ({ setTriggerValue }) {
  const wayAt = (event) => {
    const anchor = event.target.closest?.('[data-testid="stHtml"] a[href^="/"], .stHtml a[href^="/"]');
    const href = anchor?.getAttribute("href");
    const way = href && wayOf(href, window.location.origin);
    return way ? { way, href, x: event.clientX, y: event.clientY } : null;
  };
  const follow = ({ way, href }) => {
    if (way.name === nameOf(window.location.pathname)) setTriggerValue("way", way);
    else goTo(href);
  };
  const onClick = (event) => {
    if (event.defaultPrevented || !isPlain(event)) return;
    const found = wayAt(event);
    if (!found) return;
    held = null;
    event.preventDefault();
    follow(found);
  };
  // A page that redraws itself may put a new link in the place of one that is being pressed: the browser then makes no click of it.
  const onDown = (event) => {
    held = isPlain(event) ? wayAt(event) : null;
  };
  const onUp = (event) => {
    const pressed = held;
    if (!pressed || Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > STEADY_PX) return;
    window.setTimeout(() => {
      if (held !== pressed) return;
      held = null;
      follow(pressed);
    }, LOST_CLICK_MS);
  };
  const listeners = { click: onClick, pointerdown: onDown, pointerup: onUp };
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
  };
}
