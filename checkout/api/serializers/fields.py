"""Fields that take what they say and convert nothing: "5" and 5.0 are no whole numbers, 5 is no text."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from ledger.errors import Refusal

_NAMED_AT_MOST = 20


class StrictSerializer(serializers.Serializer[Any]):
    """An object with these fields and no others: a misspelt field would otherwise be silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            message = f"There is no such field here; there are {', '.join(self.fields)}."
            detail = [ErrorDetail(message, code="unknown_field")]
            raise serializers.ValidationError({name[:60]: detail for name in unknown[:_NAMED_AT_MOST]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(serializers.RegexField):
    """An identifier or token, which has a form."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
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
