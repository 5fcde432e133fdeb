"""What a person may see of a notification as it came: its shape and its references, nothing about the payer."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

MASK = "•••"
# Names of what says which payment, how much and in what state.
_SHOWN = re.compile(
    r"(^|_)(id|no|type|status|state|amount|total|currency|time|created|code|object|livemode|algorithm|version|event|"
    r"charset|method|refunded|captured|sign_type|resource_type|original_type|fee|summary)$"
)
_LONGEST_WORD = 24
_HIDDEN = re.compile(r"buyer|payer|openid|customer|email|phone|logon|name|user")


def masked(body: bytes) -> str:
    """A JSON or form body with every value hidden that is not a reference, an amount, a state or a time."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(_masked("", json.loads(text)), indent=2, ensure_ascii=False)
    except ValueError:
        pairs = parse_qsl(text, keep_blank_values=True)
        return "\n".join(f"{name}={_masked(name, value)}" for name, value in pairs) or MASK


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _masked(inner, of) for inner, of in value.items()}
    if isinstance(value, list):
        return [_masked(name, of) for of in value]
    if value is None or isinstance(value, bool):
        return value
    shown = _SHOWN.search(name.lower()) and not _HIDDEN.search(name.lower())
    return value if shown else MASK


def shown(text: str) -> SafeString:
    """Line by line and indented as it is; long words may break, so that it fits a phone."""
    return format_html_join(mark_safe("<br>"), "{}", [(_line(line),) for line in text.split("\n")])


def _line(line: str) -> SafeString:
    words = line.lstrip(" ")
    indent = "\N{NO-BREAK SPACE}" * (len(line) - len(words))
    return format_html(
        "{}{}", indent, format_html_join(" ", "{}", [(_word(word),) for word in words.split(" ")])
    )


def _word(word: str) -> SafeString:
    parts = [(word[at : at + _LONGEST_WORD],) for at in range(0, len(word), _LONGEST_WORD)]
    return format_html_join(mark_safe("<wbr>"), "{}", parts)
