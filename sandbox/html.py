"""Pages from `templates/*.html` with `$name` slots. Values are escaped unless they are `Html` already."""

from functools import cache
from html import escape
from pathlib import Path
from string import Template

_TEMPLATES = Path(__file__).parent / "templates"


class Html(str):
    """Text that is markup already and goes into a page as it is."""


@cache
def _template(name: str) -> Template:
    return Template((_TEMPLATES / f"{name}.html").read_text(encoding="utf-8"))


def fragment(name: str, **values: object) -> Html:
    """`templates/<name>.html` with its slots filled."""
    filled = {
        slot: value if isinstance(value, Html) else escape(str(value)) for slot, value in values.items()
    }
    return Html(_template(name).substitute(filled))


def join(parts: list[Html]) -> Html:
    return Html("".join(parts))


def page(title: str, body: Html, *, head: Html | None = None) -> str:
    """A whole document with the sandbox's stylesheet."""
    return fragment("page", title=title, body=body, head=head or Html(""))


def amount_text(amount: int, currency: str) -> str:
    """Minor units for people: "CNY 123.45", "JPY 500"."""
    digits = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}.get(
        currency, 2
    )
    if not digits:
        return f"{currency} {amount:,}"
    whole, rest = divmod(amount, 10**digits)
    return f"{currency} {whole:,}.{rest:0{digits}d}"
