"""What holds for every template and asset: nothing inline, nothing from elsewhere, every part there."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from checkout.models import Sku
from checkout.services.seed_catalogue import seed_catalogue
from tests.pages.messages import ROOT

_STATIC = ROOT / "checkout" / "static" / "checkout"
_TEMPLATES = [
    *sorted((ROOT / "templates").glob("*.html")),
    *sorted((ROOT / "templates" / "checkout").rglob("*.html")),
]
_WITHOUT_ADDRESSES = re.compile(r'(href|value)="[^"]*"')
_INLINE = {
    "script": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "style": re.compile(r"<style|\sstyle\s*=", re.IGNORECASE),
    "handler": re.compile(r"\son[a-z]+\s*=|javascript:|\shx-on", re.IGNORECASE),
    "other origin": re.compile(r"""(src|href)\s*=\s*["'](https?:)?//""", re.IGNORECASE),
}


def _offences(text: str) -> list[str]:
    return [name for name, pattern in _INLINE.items() if pattern.search(text)]


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.name)
def test_template_has_nothing_inline(template: Path) -> None:
    assert _offences(template.read_text()) == []


@pytest.mark.parametrize(
    ("offender", "name"),
    [
        ("<script>alert(1)</script>", "script"),
        ('<p style="color:red">', "style"),
        ("<style>p{}</style>", "style"),
        ('<a onclick="x()">', "handler"),
        ('<script src="https://cdn.example/x.js"></script>', "other origin"),
    ],
)
def test_offender_is_found(offender: str, name: str) -> None:
    assert name in _offences(offender)


# What is stored as a code: the console says it through `in_words`, or through an include that does.
_NAMES = r"[\w.]*\b(state|method|channel|brand|category|phase|entity|level|stage)"
_CODE = re.compile(rf"{{{{ {_NAMES}( |\|default[^}}]*)}}}}|\btext=({_NAMES}|value) ")


@pytest.mark.parametrize("room", ["payments", "reconciliation", "risk", "ledger", "config/home"])
def test_the_console_says_codes_in_words(room: str) -> None:
    raw = {
        f"{path.name}: {found[0]}"
        for path in sorted((ROOT / "templates" / room).glob("*.html"))
        for found in _CODE.finditer(_WITHOUT_ADDRESSES.sub("", path.read_text()))
    }
    assert raw == set()


def test_every_icon_is_drawn() -> None:
    drawn = {
        symbol.get("id")
        for symbol in ET.parse(_STATIC / "icons.svg").getroot()
        if symbol.tag.endswith("symbol")
    }
    used = {name for path in _TEMPLATES for name in re.findall(r'{% icon "(\w+)" %}', path.read_text())}
    assert used <= drawn


@pytest.mark.django_db(transaction=True)
def test_every_demo_article_has_its_picture() -> None:
    seed_catalogue()
    for image in Sku.objects.values_list("image", flat=True):
        assert (_STATIC / "art" / image).is_file()


def test_style_and_scripts_fetch_nothing() -> None:
    for path in [*_STATIC.glob("*.css"), *_STATIC.glob("*.js")]:
        text = path.read_text()
        assert "@import" not in text
        assert "http" not in text.replace("http-equiv", "")
        assert "innerHTML" not in text


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: str, second: str) -> float:
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


_TEXT_ON = [
    ("ink", "page"), ("ink", "surface"), ("muted", "page"), ("muted", "surface"), ("muted", "sunken"),
    ("accent-ink", "accent"), ("accent-ink", "accent-deep"), ("accent-deep", "page"), ("accent-deep", "surface"),
    ("accent-deep", "accent-soft"), ("good", "good-soft"), ("warn", "warn-soft"), ("bad", "bad-soft"),
    ("bad", "surface"), ("warn", "surface"), ("ink", "bad-soft"), ("ink", "warn-soft"), ("ink", "accent-soft"),
]  # fmt: skip
_LINES_ON = [
    ("edge", "surface"),
    ("edge", "page"),
    ("accent", "surface"),
    ("focus", "page"),
    ("focus", "surface"),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough_to_read(scheme: int) -> None:
    css = (_STATIC / "checkout.css").read_text()
    tokens = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6});", re.findall(r":root \{(.*?)\n *\}", css, re.DOTALL)[scheme])
    )
    weak = [
        f"{text} on {ground}: {_contrast(tokens[text], tokens[ground]):.2f}"
        for pairs, least in ((_TEXT_ON, 4.5), (_LINES_ON, 3.0))
        for text, ground in pairs
        if _contrast(tokens[text], tokens[ground]) < least
    ]
    assert weak == []
