"""`manage.py import_statement --channel wechat FILE…`"""

import json
import re
from argparse import ArgumentParser
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.errors import Refusal
from reconciliation.errors import StatementFormatUnknown
from reconciliation.facts import StatementView
from reconciliation.parsers import HEAD, sniff
from reconciliation.selectors import differences_of
from reconciliation.services.match_statement import match_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.services.revisit_open_items import revisit_open_items
from reconciliation.states import StatementSource

_ACTOR = "command:import_statement"
_DAY = re.compile(r"(20\d\d)[-_]?(\d\d)[-_]?(\d\d)")


class Command(BaseCommand):
    help = "Load a channel's statements from disk, match them with the books and tell what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--channel", required=True)
        parser.add_argument("--kind", default="", help="of statement; without it, the file says so itself")
        parser.add_argument(
            "--day", type=date.fromisoformat, help="the provider's own; without it, the file's name says so"
        )
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="as it came, or gzipped")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            files = [self._receive(path, options) for path in options["files"]]
            done = [self._match(one) for one in sorted(files, key=lambda one: one.day)]
            revisit_open_items(channel=options["channel"], now=timezone.now(), actor=_ACTOR)
        except Refusal as refusal:
            line = refusal.context.get("line")
            raise self._refused(refusal.code, str(refusal), line) from refusal
        except OSError as problem:
            raise CommandError(f"The file can not be read: {problem}") from problem
        counted: Counter[str] = Counter()
        for one in done:
            counted.update(differences_of(one.id))
        told = {
            "rows": sum(one.rows for one in done),
            "matched": sum(one.matched for one in done),
            "discrepancies": dict(sorted(counted.items())),
            "files": [one.id for one in done],
        }
        self.stdout.write(json.dumps(told))

    def _receive(self, path: Path, options: dict[str, Any]) -> StatementView:
        with path.open("rb") as content:
            kind = options["kind"] or _kind(path, content, options["channel"])
            return receive_statement(
                channel=options["channel"],
                kind=kind,
                day=options["day"] or _day(path),
                name=path.name,
                content=content,
                source=StatementSource.COMMAND,
                actor=_ACTOR,
            )

    def _match(self, file: StatementView) -> StatementView:
        """One that was refused before is refused again, in the same words."""
        done = match_statement(file=file.id, actor=_ACTOR)
        if done.refusal_code:
            raise self._refused(done.refusal_code, done.refusal_detail, done.refusal_line)
        return done

    def _refused(self, code: str, reason: str, line: int | None) -> CommandError:
        self.stdout.write(json.dumps({"refused": code, "line": line, "reason": reason}))
        return CommandError(f"{code}: {reason}")


def _kind(path: Path, content: BinaryIO, channel: str) -> str:
    found = sniff(path.name, content.read(HEAD))
    content.seek(0)
    if found is None or found[0] != channel:
        said = f"looks like {found[0]}" if found else "is of no kind that is known"
        raise StatementFormatUnknown(f"{path.name} {said}: say --channel and --kind.")
    return found[1]


def _day(path: Path) -> date:
    found = _DAY.search(path.name)
    if found is None:
        raise CommandError(f"{path.name} does not name its day: say --day.")
    return date(*map(int, found.groups()))
