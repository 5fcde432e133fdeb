"""`manage.py verify`: every invariant, derived again from the rows."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from config.proof import Outcome, prove

_SHOWN = 20  # broken rows per check, in words; --json names all


class Command(BaseCommand):
    help = "Check that orders, payments, journal and provider agree. Exit code 1 when they do not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcomes = list(prove())
        except OperationalError as error:
            raise CommandError(f"the database can not be read: {str(error).splitlines()[0]}") from error
        broken = any(findings for _, _, findings in outcomes)
        if options["json"]:
            self.stdout.write(_as_json(outcomes))
        else:
            for line in _in_words(outcomes):
                self.stdout.write(line)
        if broken:
            raise SystemExit(1)


def _as_json(outcomes: list[Outcome]) -> str:
    broken = [
        {"check": finding.check, "subject": finding.subject, "detail": finding.detail}
        for _, _, findings in outcomes
        for finding in findings
    ]
    return json.dumps(
        {"ok": not broken, "checked": {name: rows for name, rows, _ in outcomes}, "broken": broken}
    )


def _in_words(outcomes: list[Outcome]) -> Iterator[str]:
    for name, rows, findings in outcomes:
        yield f"{'BROKEN' if findings else 'ok':<8}{name}  ({rows:,} looked at)"
        for finding in findings[:_SHOWN]:
            yield f"        {finding.subject}: {finding.detail}"
        if len(findings) > _SHOWN:
            yield f"        and {len(findings) - _SHOWN:,} more (--json names all)"
    broken = sum(len(findings) for _, _, findings in outcomes)
    yield f"{broken:,} broken" if broken else "All hold."
