"""The README's walkthrough, run as it is printed there: a purchase with curl, from quote to refund."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout.services.seed_catalogue import seed_catalogue
from ledger.money import Money
from ledger.selectors import balance
from payments.channels import registry
from payments.models.api_key import Scope
from payments.services.issue_api_key import issue_api_key
from tests.channels.world import Sandbox
from tests.patience import PATIENCE
from tests.payments.conftest import credentials as credentials
from tests.payments.conftest import sandbox as sandbox

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def commands() -> str:
    """What stands in shell blocks between the markers. $BASE and $KEY come from the environment."""
    [walkthrough] = re.findall(
        r"<!-- walkthrough -->\n(.*?)<!-- /walkthrough -->", README.read_text(encoding="utf-8"), re.DOTALL
    )
    blocks = re.findall(r"```sh\n(.*?)```", walkthrough, re.DOTALL)
    assert len(blocks) >= 5
    return "set -eu\n" + "\n".join(blocks)


@pytest.fixture
def shop_address(
    live_server: Any, transactional_db: None, sandbox: Sandbox, credentials: dict[str, Any], settings: Any
) -> Iterator[str]:
    """A live server with the demo's articles, whose payments go to a sandbox."""
    for name, value in credentials.items():
        setattr(settings, name, value)
    settings.NOTIFY_BASE_URL = live_server.url
    registry.channel.cache_clear()
    seed_catalogue()
    yield live_server.url
    registry.channel.cache_clear()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.django_db(transaction=True)
def test_the_walkthrough_of_the_readme(shop_address: str, tmp_path: Path) -> None:
    key = issue_api_key(name="walkthrough", scopes=Scope, actor="test").secret
    ran = subprocess.run(
        ["sh", "-c", commands()],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "BASE": shop_address, "KEY": key},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = {
        name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("order", "payment", "refund")
    }
    assert told["payment"]["state"] == "SUCCEEDED"
    assert "PAID" in ran.stdout
    assert (told["refund"]["order"], told["refund"]["amount"]["amount"]) == (told["order"]["id"], 100)
    kept = told["order"]["payable"]["amount"] - 100
    assert balance("receivable:stripe", "CNY") == Money(kept, "CNY")
