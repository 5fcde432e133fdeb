"""`manage.py verify_audit`: the audit journal against its seals, and its seals against the anchors."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError

from ledger import anchors
from ledger.facts import ChainState
from ledger.invariants import Finding, check_audit
from ledger.selectors import chain_state

_SHOWN = 20  # per check, in words; --json names all
_NO_ANCHOR = Finding(
    "audit.anchors", "anchors", "there are none in this folder: a rewrite of the whole chain would not show"
)


class Command(BaseCommand):
    help = "Walk the audit chain and name the first row that was changed. Exit code 1 when there is one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchors", type=Path, help="folder with a copy of the anchors; else AUDIT_ANCHOR_DIR"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["anchors"] or anchors.directory()
        try:
            outcomes = [(name, rows, list(findings)) for name, rows, findings in check_audit(folder)]
            state = chain_state(folder)
        except OperationalError as error:
            raise CommandError(f"the database can not be read: {str(error).splitlines()[0]}") from error
        if options["anchors"] and not state.anchored:
            outcomes[-1][2].append(_NO_ANCHOR)
        if options["json"]:
            self._as_json(outcomes, state)
        else:
            self._in_words(outcomes, state)
        if any(findings for _, _, findings in outcomes):
            raise SystemExit(1)

    def _as_json(self, outcomes: list[tuple[str, int, list[Finding]]], state: ChainState) -> None:
        broken = [asdict(finding) for _, _, findings in outcomes for finding in findings]
        checked = {name: rows for name, rows, _ in outcomes}
        told = {"ok": not broken, "checked": checked, "broken": broken, "chain": asdict(state)}
        self.stdout.write(json.dumps(told, cls=DjangoJSONEncoder))

    def _in_words(self, outcomes: list[tuple[str, int, list[Finding]]], state: ChainState) -> None:
        for name, rows, findings in outcomes:
            self.stdout.write(f"{'BROKEN' if findings else 'ok':<8}{name}  ({rows:,} looked at)")
            for finding in findings[:_SHOWN]:
                self.stdout.write(f"        {finding.subject}: {finding.detail}")
            if len(findings) > _SHOWN:
                self.stdout.write(f"        and {len(findings) - _SHOWN:,} more (--json names all)")
        self.stdout.write(
            f"Sealed through seal {state.sealed:,} ({_moment(state.sealed_at)}), {state.unsealed:,} entries wait."
        )
        self.stdout.write(
            f"Anchored through seal {state.anchored:,} ({_moment(state.anchored_at)})."
            + ("" if state.anchored else " A rewrite of the whole chain would not show.")
        )
        self.stdout.write(f"Head: {state.hash or 'none'}")


def _moment(at: Any) -> str:
    return at.isoformat(timespec="seconds") if at else "never"
