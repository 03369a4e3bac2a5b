"""What keeps somebody out of a page: axe-core's violations, what is wider than a phone, and a focus that is not seen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

PICTURES = os.environ.get("LOCKSTEP_PICTURES")
"""A folder that gets a picture of every page in every look; none when it is not set."""

EVERYTHING = "{resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}"
COLOURS = "{resultTypes: ['violations'], runOnly: ['color-contrast', 'link-in-text-block']}"
"""Rules whose answer depends on colours; in the dark the others would read the same document again."""
ROOM = "{resultTypes: ['violations'], runOnly: ['target-size', 'scrollable-region-focusable', 'landmark-unique', 'link-name']}"
ROOM_AND_COLOURS = ROOM.replace("['target-size'", "['color-contrast', 'target-size'")
"""Rules whose answer depends on what is shown, and how large: on a phone menus fold and tables scroll."""

WIDE, NARROW = 1280, 390


@dataclass(frozen=True)
class Look:
    """One look at a page that is open. asked: which of axe-core's rules."""

    colours: Literal["light", "dark"]
    width: int
    asked: str


WAYS = (
    (Look("light", WIDE, EVERYTHING), Look("dark", NARROW, ROOM_AND_COLOURS)),
    (Look("light", NARROW, ROOM), Look("light", WIDE, EVERYTHING), Look("dark", WIDE, COLOURS)),
)
"""How pages are looked at, by turns: what all of them share is judged in every way, and each of them in both colours and widths.

One begins as wide as the other ends, since another width costs as much as a rule.
"""

WHOLE = "document"
FRAME_APART = "{exclude: [['body > header'], ['dialog:not([open])']]}"
"""A page without what is the same on all of them."""

RUN = """(where, options) => axe.run(where, options).then(found => [found.passes.length, found.violations.map(one => (
    `${one.id} (${one.impact}): ${one.nodes[0].html.slice(0, 160)} ${one.nodes[0].failureSummary.slice(0, 200)}`
))])"""
"""What axe-core found, and how many of its rules had something to look at: no more, since all it knows takes long to send."""

SANE = """() => {
    const focused = document.activeElement, style = getComputedStyle(focused);
    return {
        ahead: [...document.querySelectorAll('[tabindex]')].filter(one => one.tabIndex > 0).length,
        shown: focused !== document.body && (style.outlineStyle !== 'none' || style.boxShadow !== 'none'),
    };
}"""
"""How many elements are focused before their turn, and whether the focus is seen."""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
"""How far a page is wider than the window."""


def faults(page: Page, url: str, *, way: Sequence[Look] = WAYS[0], where: str = WHOLE) -> list[str]:
    """Open a page once, look at it in both colours and widths, and return what is wrong with it, in sentences.

    Args:
        page: whoever it belongs to is signed in there; it stays as the last look left it.
        way: the looks, in their order.
        where: axe-core's context, as JavaScript.
    """
    return [f"{url} {fault}" for fault in _faults(page, url, way, where)]


def _faults(page: Page, url: str, way: Sequence[Look], where: str) -> Iterator[str]:
    show(page, way[0])
    answer = page.goto(url)
    if page.url != url or answer is None or not answer.ok:
        yield f"leads to {page.url} ({answer.status if answer else 'without an answer'})"
        return
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))  # evaluated, since the pages let no foreign script element in
    for turn, look in enumerate(way):
        if turn:
            show(page, look)
        if PICTURES:
            name = re.sub(r"\W+", "_", re.sub(r"^\w+://[^/]*/", "", url))[:80]
            page.screenshot(path=Path(PICTURES) / f"{name}-{look.width}-{look.colours}.png", full_page=True)
        yield from violations(page, look, where)
        if look.width == NARROW and (overflow := page.evaluate(OVERFLOW)) > 0:
            yield f"is {overflow} px wider than a phone"
    yield from faults_of_focus(page)


def faults_of_focus(page: Page) -> Iterator[str]:
    """Yield what keeps somebody without a mouse out."""
    page.keyboard.press("Tab")
    sane: dict[str, Any] = page.evaluate(SANE)
    if sane["ahead"]:
        yield f"lets {sane['ahead']} elements be focused before their turn"
    if not sane["shown"]:
        yield "does not show where the keyboard is"


def show(page: Page, look: Look) -> None:
    """Show a page in a width and in colours, with no button halfway between two of them."""
    if page.viewport_size != (size := {"width": look.width, "height": 800}):
        page.set_viewport_size(size)
    page.emulate_media(color_scheme=look.colours)
    page.evaluate("document.getAnimations().forEach(each => each.finish())")


def violations(page: Page, look: Look, where: str = WHOLE) -> Iterator[str]:
    """Yield what axe-core finds."""
    looked_at, found = page.evaluate(f"({RUN})({where}, {look.asked})")
    if not looked_at:
        yield f"({look.colours}, {look.width} px): axe-core has looked at nothing"
    yield from (f"({look.colours}, {look.width} px): {one}" for one in found)
