"""Every text of the pages is there in both languages, and compiles without gettext."""

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from config.translations import compile_into
from tests.pages.messages import ROOT, wanted

_PLACEHOLDER = re.compile(r"%\(\w+\)s")


def catalogue(locale: str) -> Catalog:
    with (ROOT / "config" / "locale" / locale / "LC_MESSAGES" / "django.po").open("rb") as po:
        return read_po(po, locale=locale)


def forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_every_text_has_a_translation(locale: str) -> None:
    texts = catalogue(locale)
    without = [
        f"{where}: {message[0]}"
        for message, where in wanted().items()
        if (found := texts.get(message[0])) is None or found.fuzzy or not all(forms(found.string))
    ]
    assert without == []


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_translations_keep_their_placeholders(locale: str) -> None:
    for message in catalogue(locale):
        if message.id:
            known = {name for form in forms(message.id) for name in _PLACEHOLDER.findall(form)}
            used = {name for form in forms(message.string) for name in _PLACEHOLDER.findall(form)}
            assert used == known, message.id


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_catalogue_holds_nothing_that_no_page_says(locale: str) -> None:
    said = {message[0] for message in wanted()}
    assert [m.id for m in catalogue(locale) if m.id and forms(m.id)[0] not in said] == []


def test_a_text_without_translation_is_noticed() -> None:
    assert catalogue("zh_Hans").get("A text that nobody translated") is None


def test_catalogues_compile_without_gettext(tmp_path: Path) -> None:
    assert compile_into(ROOT / "config" / "locale", tmp_path) == 2
    assert compile_into(ROOT / "config" / "locale", tmp_path) == 0
    with (tmp_path / "zh_Hans" / "LC_MESSAGES" / "django.mo").open("rb") as compiled:
        translation = GNUTranslations(compiled)
    assert translation.gettext("Your cart is empty.") == "购物车是空的。"
