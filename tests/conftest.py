"""Services first, then Django: test modules and conftests may import models at once."""

import os

import django
import pytest

from tests import services

_services = services.provide()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("numprocesses", None):
        # A worker that inherited this would load settings before its conftest picked the worker's Redis.
        os.environ.pop("DJANGO_SETTINGS_MODULE")


def pytest_unconfigure(config: pytest.Config) -> None:
    _services.stop()
