"""`manage.py prepare`: what a new version needs before its first request; safe to run again at every start."""

import hashlib
from argparse import ArgumentParser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.translations import compile_into

# A second reader of the API's description comes along, half as large as all the rest.
_UNUSED = ["redoc"]


class Command(BaseCommand):
    help = "Migrate, seed, compile translations, collect static files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="seed the demo people too")

    def handle(self, *args: Any, **options: Any) -> None:
        compile_into(settings.BASE_DIR / "config" / "locale", settings.LOCALE_PATHS[0])
        self._collect_static()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed", demo=options["demo"])

    def _collect_static(self) -> None:
        """Collect only when a file or a package changed: compressing takes longer than all the rest."""
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        now = _fingerprint()
        if stamp.exists() and stamp.read_text() == now:
            return
        call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=_UNUSED)
        stamp.write_text(now)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in sorted(f"{found.name} {found.version}" for found in distributions()):
        digest.update(name.encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path} {storage.get_modified_time(path).timestamp()}".encode())
    return digest.hexdigest()
