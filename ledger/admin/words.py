"""Columns and filters of the console's lists that say stored codes in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from django.contrib.admin import AllValuesFieldListFilter, ChoicesFieldListFilter
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.wording import in_words

Column = Callable[[Any, Any], Any]


class _Said(str):
    """Words that know which code they stand for."""

    code: str

    def __new__(cls, code: str) -> Self:
        said = super().__new__(cls, in_words(code))
        said.code = code
        return said


class _Colours(dict[Any, str]):
    """By code, asked with the words."""

    def __contains__(self, said: Any) -> bool:
        return super().__contains__(said.code)

    def __getitem__(self, said: Any) -> str:
        return super().__getitem__(said.code)


def badge(field: str, description: Any, colours: Mapping[str, str]) -> Column:
    """The code in `field`, in words and in the colour of the code."""

    @display(description=description, label=_Colours(colours))
    def shown(model_admin: Any, row: Any) -> str:
        return _Said(str(getattr(row, field)))

    return shown  # type: ignore[no-any-return]


def spoken(field: str, description: Any) -> Column:
    """The code in `field`, in words; sorted by as it is stored."""

    @display(description=description, ordering=field)
    def shown(model_admin: Any, row: Any) -> SafeString:
        return unbroken(in_words(str(getattr(row, field))) or "–")

    return shown  # type: ignore[no-any-return]


def unbroken(words: str) -> SafeString:
    """On one line: Chinese breaks anywhere, and a narrow column would have a letter a line."""
    return format_html('<span class="whitespace-nowrap">{}</span>', words)


class _Words:
    """What the filter offers, in words; the number that may stand behind it stays."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        offered = super().choices(changelist)  # type: ignore[misc]
        yield next(offered)  # all of them
        for one in offered:
            code, bracket, count = str(one["display"]).partition(" (")
            yield {**one, "display": f"{in_words(code)}{bracket}{count}"}


class OneOf(_Words, ChoicesFieldListFilter):
    """Of a field that lists its codes."""


class AnyThere(_Words, AllValuesFieldListFilter):
    """Of a field that does not: what the table holds."""
