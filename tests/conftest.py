"""Services first, then Django: test modules and conftests may import models at once."""

import os
from collections.abc import Iterator

import django
import hypothesis
import pytest
from django.conf import settings
from django.utils import translation
from xdist.scheduler import LoadScopeScheduling

from tests import services

_services = services.provide()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# No manifest (nothing was collected) and no slow passwords.
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.DATABASES["default"]["TEST"] = {"TEMPLATE": services.template_database()}
django.setup()

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# After Django is set up, because it loads models.
from risk.services import assess  # noqa: E402
from tests.flush import django_db_setup as django_db_setup  # noqa: E402


@pytest.fixture(autouse=True)
def unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a decision is late, and its policy judges otherwise: only tests of that let it."""
    if not request.node.get_closest_marker("deadline"):
        monkeypatch.setattr(assess, "_is_late", lambda started, policy: False)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """The language of a request stays with its thread, which is the next test's."""
    yield
    translation.deactivate()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("numprocesses", None):
        # A worker that inherited this would load settings before its conftest picked the worker's Redis.
        os.environ.pop("DJANGO_SETTINGS_MODULE")


def pytest_unconfigure(config: pytest.Config) -> None:
    _services.stop()


# Where tests lie → what they share: whole copies of the program, a browser.
_TOGETHER = {
    "tests/stack/": "copies",
    "tests/house/test_up.py": "copies",
    "tests/channels/test_card_field.py": "card field",
}
# Where each file has a world of its own: a sandbox, keys, a trained model.
_FILE_BY_FILE = (
    "tests/channels/",
    "tests/sandbox/",
    "tests/reconciliation/parsers/",
    "tests/risk/test_models.py",
    "tests/api/test_schema.py",
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share something slow to start run on one worker, one after the other; the rest anywhere.

    (xdist's own groups rename tests, which pytest no longer allows.)
    """

    def _split_scope(self, nodeid: str) -> str:
        alone = nodeid.partition("::")[0] if nodeid.startswith(_FILE_BY_FILE) else nodeid
        return next((name for path, name in _TOGETHER.items() if nodeid.startswith(path)), alone)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nothing-skipped", action="store_true", help="fail when a test was skipped or no browser ran"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("nothing_skipped"):
        return
    passed = terminalreporter.stats.get("passed", [])
    if terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("nothing may be skipped here: see SKIPPED above", red=True)
    if not any("browser" in report.keywords for report in passed):
        terminalreporter.write_line("no browser test ran", red=True)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("nothing_skipped") or session.exitstatus != 0:
        return
    browsers = any("browser" in report.keywords for report in reporter.stats.get("passed", []))
    if reporter.stats.get("skipped") or not browsers:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
