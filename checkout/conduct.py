"""How a form was filled in, as far as anybody measured it. Pure.

The browser's part is a small JSON text in a hidden field. It is not believed: what is no number is not known, what is
absurd is cut, and nobody was longer on a page than since we sent it. Nothing of what was typed is in it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

LONGEST = 500  # characters of the field
_VISITOR = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """`fingerprint` is what the browser's script says it looks like. None means that nobody measured it."""

    fingerprint: str = ""
    seconds_on_page: int | None = None
    keystrokes: int | None = None
    keystroke_ms: int | None = None
    pastes: int | None = None
    address_changes: int = 0
    coupon_attempts: int = 0


def read(text: str, *, shown_for: int | None, address_changes: int = 0, coupon_attempts: int = 0) -> Conduct:
    """What a browser says, and what the server knows beside it: for how many seconds the page was out."""
    told = _object(text)
    visitor = told.get("visitor", "")
    seconds = _whole(told.get("seconds"))
    if shown_for is not None:
        seconds = shown_for if seconds is None else min(seconds, shown_for)
    return Conduct(
        fingerprint=visitor if isinstance(visitor, str) and _VISITOR.match(visitor) else "",
        seconds_on_page=seconds,
        keystrokes=_whole(told.get("keys")),
        keystroke_ms=_whole(told.get("tempo")),
        pastes=_whole(told.get("pastes")),
        address_changes=address_changes,
        coupon_attempts=coupon_attempts,
    )


def _object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text) if 0 < len(text) <= LONGEST else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _whole(value: object) -> int | None:
    if type(value) is not int or value < 0:
        return None
    return min(value, _MOST)


def label(agent: str) -> str:
    """A browser in two words, for people who look for their own ("Firefox, Windows"); empty when nobody knows it."""
    browser = next((name for name, marks in _BROWSERS.items() if any(mark in agent for mark in marks)), "")
    system = next((name for name, marks in _SYSTEMS.items() if any(mark in agent for mark in marks)), "")
    return ", ".join(part for part in (browser, system) if part)


# The first that fits: most browsers also claim to be those further down.
_BROWSERS = {
    "WeChat": ("MicroMessenger",),
    "Edge": ("Edg/", "EdgA/", "EdgiOS/"),
    "Opera": ("OPR/",),
    "Samsung Internet": ("SamsungBrowser",),
    "Firefox": ("Firefox/", "FxiOS/"),
    "Chrome": ("Chrome/", "CriOS/"),
    "Safari": ("Safari/",),
}
_SYSTEMS = {
    "iPhone": ("iPhone",),
    "iPad": ("iPad",),
    "Android": ("Android",),
    "Windows": ("Windows",),
    "Mac": ("Mac OS X", "Macintosh"),
    "Linux": ("Linux", "X11"),
}
