"""`manage.py import_list sanctions.csv --by max`: entries of risk lists from a file, all of them or none."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from risk.errors import ListFileRefused
from risk.services.import_list import import_list


class Command(BaseCommand):
    help = "Put every entry of a CSV file on its risk list, or say line by line what is wrong with it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--by", default="", metavar="USER", help="the operator who answers for the file")
        parser.add_argument("--dry-run", action="store_true", help="check and compare only")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        # A check writes nothing, so nobody has to answer for it.
        actor = "command:import_list" if options["dry_run"] else _operator(options["by"])
        try:
            done = import_list(
                content=path.read_bytes(),
                name=f"{path.name}, by import_list",
                actor=actor,
                dry_run=options["dry_run"],
            )
        except OSError as problem:
            raise CommandError(f"The file can not be read: {problem}") from problem
        except ListFileRefused as refusal:
            self.stdout.write(json.dumps({"refused": refusal.code, **refusal.context}, ensure_ascii=False))
            raise CommandError(str(refusal)) from refusal
        told = {
            "import": done.id,
            "digest": done.digest,
            "waits_for_a_second_person": done.waits,
            "added": done.added,
            "renewed": done.renewed,
            "unchanged": done.unchanged,
            "lists": [asdict(one) for one in done.lists],
            "imported_before": done.before.isoformat() if done.before else None,
        }
        self.stdout.write(json.dumps(told))


def _operator(name: str) -> str:
    """The actor. Who proposes is a person, so that whoever confirms in the console is known to be another."""
    if not name:
        raise CommandError("Say who answers for the file: --by USER, somebody of the console.")
    user = get_user_model().objects.filter(username=name, is_active=True, is_staff=True).first()
    if user is None or not user.has_perm("risk.add_listentry"):
        raise CommandError(f"{name} may not put entries on lists: name an active operator who may.")
    return f"user:{user.pk}"
