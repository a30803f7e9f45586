// Links of our own pages inside `st.html` change the page without loading it anew. A click with a modifier, or before this
// file is there, is an ordinary link.

export function wayOf(href, origin) {
  const url = new URL(href, origin);
  if (url.origin !== origin || url.hash) return null;
  const name = url.pathname.replace(/^\/|\/$/g, "");
  if (name.includes("/")) return null;
  return { name, query: Object.fromEntries(url.searchParams) };
}

export default function ({ setTriggerValue }) {
  const onClick = (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.target.closest?.('[data-testid="stHtml"] a[href^="/"], .stHtml a[href^="/"]');
    const way = anchor && wayOf(anchor.getAttribute("href"), window.location.origin);
    if (!way) return;
    event.preventDefault();
    setTriggerValue("way", way);
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
