"""Every invariant of every app, run in turn: what `manage.py verify` and the daily proof have in common."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.module_loading import import_string

from ledger.invariants import Finding

Outcome = tuple[str, int, list[Finding]]  # check, rows looked at, what breaks it


def prove() -> Iterator[Outcome]:
    """Derive all that must be true again from the rows, as `settings.INVARIANTS` lists it."""
    for path in settings.INVARIANTS:
        for name, rows, findings in import_string(path)():
            yield name, rows, list(findings)
