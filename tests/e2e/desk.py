"""The desk as a person at the keyboard meets it: what is shown, and keys that wait for what they act on."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect


def part(page: Page, name: str) -> Locator:
    """One part of the desk by its test id."""
    return page.get_by_test_id(f"desk-{name}")


def clip_id(page: Page) -> int:
    """The clip that stands on the stage."""
    return int(part(page, "stage").get_attribute("data-clip-id") or 0)


def visit(page: Page) -> Any:
    """What the server knows of the clip that is shown."""
    return page.evaluate(f"fetch('/api/review/visits/{clip_id(page)}').then((answer) => answer.json())")


def focus(page: Page) -> Any:
    """The target in focus, as the server knows it now."""
    word = part(page, "now").inner_text()
    return next(target for target in visit(page)["targets"] if target["word"] == word)


def open_desk(page: Page, address: str, query: str = "") -> None:
    """Go to Review and begin, past the first start or the button on the stage."""
    page.goto(f"{address}/review{query}")
    start = part(page, "start").filter(visible=True)
    expect(start).to_have_count(1)
    page.keyboard.press("Enter")
    expect(start).to_have_count(0)
    expect(page.get_by_test_id("desk")).to_have_attribute("data-view", "desk")


def press_and_go_on(page: Page, *keys: str) -> int:
    """Decide what is shown and wait for the next thing: another clip, or another word of this one. Returns the clip that was shown."""
    before = page.evaluate(SHOWN)
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function(f"before => ({SHOWN})() !== before", arg=before)
    return int(before.split()[0])


def saved(page: Page) -> None:
    """Until the desk says that everything is in the database."""
    expect(part(page, "saved")).to_have_attribute("data-state", "saved", timeout=15000)


FIND = """const find = (root, selector) => {
  for (const node of root.querySelectorAll('*')) {
    if (node.matches(selector)) return node;
    const deeper = node.shadowRoot && find(node.shadowRoot, selector);
    if (deeper) return deeper;
  }
  return null;
};"""
"""JavaScript that finds the first element under a selector, through any shadow root."""
SHOWN = f"""() => {{ {FIND}
  return `${{find(document, '[data-testid=desk-stage]')?.dataset.clipId}} ${{find(document, '[data-testid=desk-now]')?.textContent}}`; }}"""
"""JavaScript that answers the clip and the word that are shown."""
PLAYING = f"() => {{ {FIND} return find(document, 'video.seen'); }}"
"""JavaScript that answers the video element that is seen."""
