"""Columns that every app has."""

from collections.abc import Sequence
from typing import Any

from django_fsm import FSMField


class StateField(FSMField):
    """The state of a row, which only its transitions move.

    Migrations know the field as the text that it is in the database: a state machine in each of the thousands of
    models that they make and forget takes a third of their time.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, "django.db.models.CharField", args, kwargs
