"""Columns and filters of the console's lists that say stored codes in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from django.contrib.admin import AllValuesFieldListFilter, ChoicesFieldListFilter
from django.contrib.auth import get_user_model
from django.db.models import Case, OuterRef, Subquery, TextField, Value, When
from django.db.models.functions import Cast, Concat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.selectors import names_of
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


def person(field: str, description: Any) -> Column:
    """Who is kept in `field`, of rows annotated by `names`."""

    @display(description=description, ordering=field)
    def shown(model_admin: Any, row: Any) -> str:
        name = getattr(row, _name(field))
        return names_of([name])[name] if name else "–"

    return shown  # type: ignore[no-any-return]


def names(*fields: str) -> dict[str, Case]:
    """Of "user:12" the person's name, in the query of the rows; programs go by what they are."""
    people = get_user_model().objects.annotate(
        actor=Concat(Value("user:"), Cast("pk", TextField()), output_field=TextField())
    )
    found: dict[str, Case] = {}
    for field in fields:
        name = Subquery(people.filter(actor=OuterRef(field)).values("username")[:1])
        is_person = When(**{f"{field}__startswith": "user:"}, then=name)
        found[_name(field)] = Case(is_person, default=field, output_field=TextField())
    return found


def _name(field: str) -> str:
    return f"{field}_name"


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
