"""Where settings come from, and what they refuse to mix."""

import os
import subprocess
import sys
from pathlib import Path

from config.settings.environment import REQUIRED

ROOT = Path(__file__).resolve().parent.parent.parent
SHOW = (
    "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
    "from django.conf import settings\n"
    "print(settings.STRIPE['api_base'], settings.STRIPE['secret_key'], settings.SANDBOX_URL or 'none')\n"
    "print(settings.LEDGER_CLOSE_AFTER_DAYS)\n"
)


def show(data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SMART_CHECKOUT_DATA": str(data), **environment},
        text=True,
        capture_output=True,
        check=False,
    )


def written_by_up(data: Path) -> Path:
    data.mkdir()
    (data / "environment").write_text("".join(f"{name}='a=b'\n" for name in REQUIRED))
    (data / "sandbox.environment").write_text(
        "SANDBOX_URL='http://127.0.0.1:8001'\n"
        "STRIPE_API_BASE='http://127.0.0.1:8001/stripe'\nSTRIPE_SECRET_KEY='sk_test_1'\n"
    )
    return data


def test_the_files_of_up_are_read(tmp_path: Path) -> None:
    shown = show(written_by_up(tmp_path / "a folder"))
    assert shown.stdout.split() == ["http://127.0.0.1:8001/stripe", "sk_test_1", "http://127.0.0.1:8001", "7"]


def test_a_live_key_never_meets_the_sandbox(tmp_path: Path) -> None:
    shown = show(written_by_up(tmp_path / "data"), STRIPE_SECRET_KEY="sk_live_1", LEDGER_CLOSE_AFTER_DAYS="")
    assert shown.stdout.split() == ["https://api.stripe.com", "sk_live_1", "none", "0"]


def test_a_proxy_must_be_named_by_its_address(tmp_path: Path) -> None:
    shown = show(written_by_up(tmp_path / "data"), FORWARDED_ALLOW_IPS="10.0.0.0/8,proxy.example.com")
    assert "FORWARDED_ALLOW_IPS: 'proxy.example.com' does not appear" in shown.stderr


def test_what_is_missing_is_named_with_the_way_out(tmp_path: Path) -> None:
    shown = show(tmp_path, SECRET_KEY="x")
    assert f"{', '.join(REQUIRED[1:])} not set" in shown.stderr
    assert "make run" in shown.stderr
