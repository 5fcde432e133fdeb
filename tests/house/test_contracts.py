"""Each import contract of pyproject.toml is broken by an offender planted in a copy of the project."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.rules import ROOT

# One copy of the project serves all.

_SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
_CONTRACTS: list[str] = [contract["id"] for contract in _SETTINGS["contracts"]]

# contract → offenders: a file, and the line that is added to it
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
        ("risk/utils.py", "# a module that no layer names"),
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
    """The Python files of the project."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in _SETTINGS["root_packages"]:
        for path in (ROOT / package).rglob("*.py"):
            target = root / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return root


def _lint(root: Path) -> str:
    """What import-linter says about the broken contracts; empty when all are kept."""
    program = "from importlinter.cli import lint_imports_command as lint; lint()"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    return "" if told.returncode == 0 else told.stdout.split("Broken contracts\n")[-1] + told.stderr


@pytest.fixture(scope="module")
def complaints(copy: Path) -> dict[str, str]:
    """Contract → what is said about it, once every offender is planted."""
    assert _lint(copy) == ""
    for module, line in {offender for offenders in _OFFENDERS.values() for offender in offenders}:
        with (copy / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    parts = re.split(r"^(.+)\n-{3,}$", _lint(copy), flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {each["id"]: said.get(each["name"], "") for each in _SETTINGS["contracts"]}


def test_every_contract_has_an_offender() -> None:
    assert [contract for contract in _CONTRACTS if contract not in _OFFENDERS] == []


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [(contract, *offender) for contract in _CONTRACTS for offender in _OFFENDERS.get(contract, [])],
)
def test_the_house_stands_and_the_offender_breaks_its_contract(
    complaints: dict[str, str], contract: str, module: str, line: str
) -> None:
    importer = module.removesuffix(".py").replace("/", ".")
    imported = line.removeprefix("import ")
    if contract == "acyclic":  # which says where a cycle could be cut
        expected = ".rules -> .errors"
    elif line.startswith("#"):
        expected = f"- {importer}\n"
    elif contract == "pure":  # the framework's own modules count as one
        expected = f"{importer} -> {imported.split('.')[0]} (l."
    else:
        expected = f"{importer} -> {imported} (l."
    assert expected in complaints[contract]
