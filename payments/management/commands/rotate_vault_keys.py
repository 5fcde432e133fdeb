"""`manage.py rotate_vault_keys`, after a new key was put first into VAULT_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.models.envelope import DoesNotOpen, current_version
from payments.services.rotate_vault_keys import rotate_vault_keys
from payments.vault import left_under_old_keys


class Command(BaseCommand):
    help = "Seal what is kept of customers under the first of VAULT_KEYS. May be stopped and started again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=100, help="vaults between two lines of news")

    def handle(self, *args: Any, **options: Any) -> None:
        version = current_version()
        try:
            while rotate_vault_keys(actor="command:rotate_vault_keys", batch=options["batch"]):
                self.stdout.write(f"{left_under_old_keys(version):,} left")
        except DoesNotOpen as error:
            raise CommandError(
                f"a vault does not open ({error}): keep the old key, and see `manage.py verify`"
            ) from error
        self.stdout.write(f"All is sealed under {version}; the other keys may be dropped from VAULT_KEYS.")
