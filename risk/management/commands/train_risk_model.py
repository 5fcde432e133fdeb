"""`manage.py train_risk_model`: a challenger from our own outcomes, from a file, or from a generated world."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.errors import Refusal
from risk import transactions, worlds
from risk.history import DAY, KEPT
from risk.pasts import stored
from risk.services.crown_model import crown_model
from risk.services.train_model import train_model
from risk.transactions import LABEL_DELAY_DAYS, Past


class Command(BaseCommand):
    help = "Train the next version of a model as a challenger. It decides nothing until a policy names it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="default")
        parser.add_argument("--days", type=int, default=28, help="days to learn from, before the last week")
        told = parser.add_mutually_exclusive_group()
        told.add_argument("--transactions", type=Path, help="CSV, may be gzipped; else our own decisions")
        told.add_argument("--world", type=int, metavar="SEED", help="a generated world; its card says so")
        parser.add_argument("--simulated", action="store_true", help="the file's payments are made up")
        parser.add_argument("--champion", action="store_true", help="crown it at once")
        parser.add_argument("--actor", default="cli")

    def handle(self, *args: Any, **options: Any) -> None:
        pasts, source, simulated = self._pasts(options)
        try:
            trained = train_model(
                name=options["name"],
                pasts=pasts,
                days=options["days"],
                source=source,
                simulated=simulated,
                actor=options["actor"],
            )
            if options["champion"]:
                crown_model(model=trained.model, actor=options["actor"], reason="train_risk_model --champion")
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps(asdict(trained)))

    def _pasts(self, options: dict[str, Any]) -> tuple[list[Past], str, bool]:
        if options["world"] is not None:
            return worlds.generate(options["world"]).pasts, f"generated world {options['world']}", True
        if options["transactions"]:
            try:
                pasts = transactions.read(options["transactions"])
            except (OSError, transactions.UnreadableTransactions) as error:
                raise CommandError(f"{options['transactions']}: {error}") from error
            return pasts, f"file {options['transactions'].name}", options["simulated"]
        now = timezone.now()
        days = options["days"] + LABEL_DELAY_DAYS + KEPT // DAY
        return stored(since=now - timedelta(days=days), until=now), "own decisions", False
