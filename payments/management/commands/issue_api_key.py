"""`manage.py issue_api_key --name "Web shop" --scope orders:read --scope orders:write`"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments.models.api_key import Scope
from payments.services.issue_api_key import issue_api_key


class Command(BaseCommand):
    help = "Issue an API key and print its secret, which can not be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="who will use the key")
        parser.add_argument(
            "--scope",
            action="append",
            choices=[str(scope) for scope in Scope],
            help="may repeat; all when left out",
        )
        parser.add_argument("--live", action="store_true", help="begin the secret with sk_live_")

    def handle(self, *args: Any, **options: Any) -> None:
        issued = issue_api_key(
            name=options["name"],
            scopes=options["scope"] or Scope,
            actor="command:issue_api_key",
            live=options["live"],
        )
        self.stdout.write(issued.secret)
