"""Each import contract of pyproject.toml is broken by an offender planted in a copy of the project."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.rules import ROOT

_SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
_CONTRACTS: list[str] = [contract["id"] for contract in _SETTINGS["contracts"]]

# contract → offenders: a module, and the line that is put into it
_OFFENDERS: dict[str, list[tuple[str, str]]] = {
    "apps": [
        ("ledger/rules.py", "import risk.facts"),
        ("risk/features.py", "import payments.states"),
        ("payments/handlers.py", "import checkout.states"),
        ("checkout/pricing.py", "import config.celery"),
    ],
    "sandbox-knows-nothing": [("sandbox/planted.py", "import ledger.money")],
    "apps-know-no-sandbox": [("payments/routing.py", "import sandbox")],
    "inside": [
        ("ledger/models/books.py", "import ledger.selectors"),
        ("checkout/services/planted.py", "import checkout.tasks"),
        ("risk/utils.py", ""),  # a module that no layer names
    ],
    "channels": [("payments/channels/stripe/planted.py", "import payments.channels.wechat")],
    "ledger-tables": [("payments/planted.py", "import ledger.models")],
    "risk-tables": [("payments/planted.py", "import risk.models.cases")],
    "payments-tables": [("checkout/planted.py", "import payments.models")],
    "checkout-tables": [("reconciliation/planted.py", "import checkout.models")],
    "reconciliation-tables": [("config/planted.py", "import reconciliation.models")],
    "risk-moves-no-money": [("risk/planted.py", "import ledger.services.post")],
    "pure": [("ledger/money.py", "import django.db"), ("checkout/pricing.py", "import httpx")],
    "acyclic": [("ledger/errors.py", "import ledger.rules")],
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python files of the project, and what import-linter has learnt of them."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in _SETTINGS["root_packages"]:
        for path in (ROOT / package).rglob("*.py"):
            target = root / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return root


def _lint(root: Path, contract: str = "") -> str:
    """What import-linter says, with the names of the broken contracts; empty when all are kept."""
    chosen = ["--contract", contract] if contract else []
    program = "from importlinter.cli import lint_imports_command as lint; lint()"
    told = subprocess.run(
        [sys.executable, "-c", program, *chosen], cwd=root, capture_output=True, text=True, check=False
    )
    return "" if told.returncode == 0 else told.stdout + told.stderr


@pytest.fixture
def planted(copy: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with the offender in it; afterwards as it was."""
    module, line = request.param
    path = copy / module
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    yield copy
    path.unlink() if before is None else path.write_text(before, encoding="utf-8")


def test_the_house_keeps_its_contracts(copy: Path) -> None:
    assert _lint(copy) == ""


def test_every_contract_has_an_offender() -> None:
    assert [contract for contract in _CONTRACTS if contract not in _OFFENDERS] == []


@pytest.mark.parametrize(
    ("contract", "planted"),
    [(contract, offender) for contract in _CONTRACTS for offender in _OFFENDERS.get(contract, [])],
    indirect=["planted"],
)
def test_the_offender_breaks_the_contract(contract: str, planted: Path) -> None:
    name = next(each["name"] for each in _SETTINGS["contracts"] if each["id"] == contract)
    assert f"{name} BROKEN" in _lint(planted, contract)
