"""`manage.py write_starting_model`: the files of the model that ships, made anew from a generated shop."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from risk import shops, starting_model
from risk.artefacts import digest_of
from risk.signals import GROUPS
from risk.training import learn

_SEED, _DAYS = 1, 49


class Command(BaseCommand):
    help = "Train the starting model on a generated shop and write its files; the same bytes every time."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=_SEED)

    def handle(self, *args: Any, **options: Any) -> None:
        lesson = learn(
            pasts=shops.generate(options["seed"]),
            days=_DAYS,
            source=f"generated shop {options['seed']}",
            simulated=True,
        )
        lesson.card["warning"] = (
            "Trained on generated data alone: it knows no real shop, and its probabilities are those of the made-up"
            " one. Train on your own outcomes as soon as there are some hundred frauds."
        )
        starting_model.write(lesson)
        digest = digest_of(lesson.text, [(name, GROUPS[name]) for name in lesson.names])
        self.stdout.write(json.dumps({"digest": digest, "bytes": len(lesson.text), "card": lesson.card}))
