"""`manage.py evaluate_risk_model`: how well the pipeline tells frauds on a file of payments, beside the baseline."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from risk import protocol, transactions
from risk.protocol import Figures, Week


def _starts(text: str) -> list[date]:
    return [date.fromisoformat(part) for part in text.split(",")]


class Command(BaseCommand):
    help = "Train on seven days, wait seven, judge the next seven: the model and the Handbook's 15 features."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--transactions", type=Path, required=True, help="CSV, may be gzipped")
        parser.add_argument("--weeks", type=_starts, required=True, help="first days of the weeks judged")
        parser.add_argument("--json", action="store_true", help="one JSON object rather than a table")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            weeks = protocol.evaluate(transactions.read(options["transactions"]), options["weeks"])
        except (OSError, transactions.UnreadableTransactions, protocol.NothingToJudge) as error:
            raise CommandError(f"{options['transactions']}: {error}") from error
        told = _told(weeks)
        self.stdout.write(json.dumps(told) if options["json"] else _table(told))


def _told(weeks: Mapping[date, Week]) -> dict[str, Any]:
    return {
        "weeks": {
            str(start): {
                "model": _rounded(week.model),
                "baseline": _rounded(week.baseline),
                "payments": week.payments,
                "frauds": week.frauds,
                "training_seconds": round(week.training_seconds, 1),
            }
            for start, week in weeks.items()
        },
        "mean": {
            "model": _rounded(protocol.mean([week.model for week in weeks.values()])),
            "baseline": _rounded(protocol.mean([week.baseline for week in weeks.values()])),
        },
        "ahead_in_every_week": all(week.model["ap"] > week.baseline["ap"] for week in weeks.values()),
    }


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def _table(told: Mapping[str, Any]) -> str:
    lines = [f"{'':12}{'':10}" + "".join(f"{name:>18}" for name in protocol.FIGURES)]
    for title, week in [*told["weeks"].items(), ("mean", told["mean"])]:
        for who in ("model", "baseline"):
            values = "".join(f"{week[who][name]:18.4f}" for name in protocol.FIGURES)
            lines.append(f"{title:12}{who:10}{values}")
    return "\n".join(lines)
