"""Fields that take what they say and convert nothing: "5" and 5.0 are no whole numbers, 5 is no text."""

import re
import socket
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty

from ledger.errors import Refusal

_NAMED_AT_MOST = 20


class _Part(NamedTuple):
    field: serializers.Field[Any, Any, Any, Any]
    unsent: Any  # what counts as sent where nothing is: the default, or `empty`
    is_plain: Callable[[str], object] | None  # whether a text is the field's value as it is
    look: Callable[[Any], Any] | None  # the serializer's own method, at the value after the field


class StrictSerializer(serializers.Serializer[Any]):
    """An object with these fields and no others: a misspelt field would otherwise be silently ignored."""

    # Most bodies are right, and are read in one quick pass; of one that is not, the framework says all that is wrong.
    def run_validation(self, data: Any = empty) -> Any:
        if type(data) is dict and data.keys() <= self._reading.keys():
            try:
                return self.validate(self._read(data))
            except (ValidationError, DjangoValidationError):
                pass
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            message = f"There is no such field here; there are {', '.join(self.fields)}."
            detail = [ErrorDetail(message, code="unknown_field")]
            raise serializers.ValidationError({name[:60]: detail for name in unknown[:_NAMED_AT_MOST]})
        return super().to_internal_value(data)

    @cached_property
    def _reading(self) -> dict[str, _Part]:
        return {
            name: _Part(
                field,
                empty if callable(field.default) else field.default,
                getattr(field, "is_plain", None),
                getattr(self, f"validate_{name}", None),
            )
            for name, field in self.fields.items()
        }

    def _read(self, data: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, (field, unsent, is_plain, look) in self._reading.items():
            value = data.get(name, unsent)
            if value is empty and field.default is empty and not field.required:
                continue
            if not (type(value) is str and is_plain and is_plain(value)):
                value = field.run_validation(value)
            found[name] = look(value) if look else value
        return found


class _Quick(serializers.CharField):
    """A text in which nothing can be wrong is taken as it is; at any other the framework looks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        assert not options.keys() & {"validators", "min_length", "trim_whitespace"}, "a quick look knows none"
        super().__init__(*args, **options)
        self.is_plain = self._plain(".*")

    def run_validation(self, data: Any = empty) -> Any:
        text = data.strip() if type(data) is str else ""
        short = self.max_length is None or len(text) <= self.max_length
        if text and short and text.isprintable() and self.is_right(text):
            return text
        return super().run_validation(data)

    def is_right(self, text: str) -> bool:
        return True

    def _plain(self, form: str) -> Callable[[str], object] | None:
        """What finds a text of `form` that is ASCII without blanks around it."""
        inner = "*" if self.max_length is None else f"{{0,{self.max_length - 2}}}"
        plain = f"(?:[!-~](?:[ -~]{inner}[!-~])?)" + "?" * self.allow_blank
        return re.compile(rf"(?={plain}\Z)(?:{form})").fullmatch

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Text(_Quick):
    pass


class Word(_Quick, serializers.RegexField):
    """An identifier or token, which has a form."""

    def __init__(self, regex: str, **options: Any) -> None:
        super().__init__(regex, **options)
        self._form = re.compile(regex)
        self.is_plain = self._plain(regex)

    def is_right(self, text: str) -> bool:
        return bool(self._form.fullmatch(text))


class IpAddress(_Quick, serializers.IPAddressField):
    def _plain(self, form: str) -> None:
        """Whether it is one, no form says."""

    def is_right(self, text: str) -> bool:
        try:
            socket.inet_pton(socket.AF_INET, text)
        except (OSError, ValueError):
            return False
        return True


class Integer(serializers.IntegerField):
    """A whole number within its bounds is taken as it is; at anything else the framework looks."""

    def run_validation(self, data: Any = empty) -> Any:
        low, high = self.min_value, self.max_value
        if type(data) is int and (low is None or low <= data) and (high is None or data <= high):
            return data
        return super().run_validation(data)


class WholeNumber(Integer):
    """Refused as `refusal` when it is no whole number, too small or too large."""

    def __init__(self, *, refusal: type[Refusal], message: str, **options: Any) -> None:
        super().__init__(**options)
        self.refusal, self.message = refusal, message

    def to_internal_value(self, data: Any) -> int:
        low, high = self.min_value, self.max_value
        if type(data) is not int or (low is not None and data < low) or (high is not None and data > high):
            raise self.refusal(self.message, param=self._path())
        return data

    def _path(self) -> str:
        names: list[str] = []
        field: serializers.Field[Any, Any, Any, Any] | None = self
        while field is not None:
            names.insert(0, field.field_name or "")
            field = field.parent
        return ".".join(name for name in names if name)
