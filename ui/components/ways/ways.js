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

export default function ({ setTriggerValue }) {
  const onClick = (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.target.closest?.('[data-testid="stHtml"] a[href^="/"], .stHtml a[href^="/"]');
    const way = anchor && wayOf(anchor.getAttribute("href"), window.location.origin);
    if (!way) return;
    event.preventDefault();
    if (way.name === nameOf(window.location.pathname)) setTriggerValue("way", way);
    else goTo(anchor.getAttribute("href"));
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
