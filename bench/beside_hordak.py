"""django-hordak beside our ledger: transfers one by one in one process, and a balance read, when it is told to.

Runs under the interpreter of a virtual environment of its own and imports nothing of ours. After a line of JSON that
says that it is warm, each line of a number makes so many transfers and is answered by their seconds; 0 asks what they
cost. It goes on until its input ends.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

ACCOUNTS = 300
READS = 50
WARM = 100  # transfers before the clock starts, as ours has


def configure(url: str) -> None:
    told = urlsplit(url)
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.admin",
            "mptt",
            "djmoney",
            "hordak",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": told.hostname,
                "PORT": told.port,
                "USER": told.username,
                "PASSWORD": told.password,
                "NAME": told.path.lstrip("/"),
            }
        },
        DEFAULT_CURRENCY="CNY",
        HORDAK_INTERNAL_CURRENCY="CNY",
        HORDAK_CURRENCIES=["CNY"],
        CURRENCIES=["CNY"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SECRET_KEY="bench",
        USE_TZ=True,
    )
    django.setup()


def cpu_ms() -> float:
    """Of this process and of its connection's, so far."""
    from django.db import connection  # noqa: PLC0415 - needs settings

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return 1000 * (time.process_time() + ticks / os.sysconf("SC_CLK_TCK"))


def main(url: str) -> None:
    configure(url)
    from django.core.management import call_command  # noqa: PLC0415 - needs settings
    from hordak.models import Account, AccountType  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    accounts = [
        Account.objects.create(
            name=f"account {number}", code=str(number), type=AccountType.asset, currencies=["CNY"]
        )
        for number in range(ACCOUNTS)
    ]
    gc.collect()  # the same as ours does
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    transfer(accounts, WARM)
    tell({"warm": WARM})
    made, used = 0, 0.0
    for line in sys.stdin:
        many = int(line)
        if many:
            before, began = cpu_ms(), time.perf_counter()
            transfer(accounts, many)
            tell({"seconds": time.perf_counter() - began})
            made, used = made + many, used + cpu_ms() - before
        else:
            tell({"cpu_ms_hordak": used / max(made, 1), "hordak_balance_ms": balance_ms(accounts)})


def transfer(accounts: list[Any], many: int) -> None:
    from moneyed import Money  # noqa: PLC0415

    for number in range(many):
        accounts[number % ACCOUNTS].transfer_to(accounts[(number * 7 + 1) % ACCOUNTS], Money(100, "CNY"))


def balance_ms(accounts: list[Any]) -> float:
    began = time.perf_counter()
    for account in accounts[:READS]:
        account.get_balance()
    return 1000 * (time.perf_counter() - began) / READS


def tell(figures: dict[str, float]) -> None:
    print(json.dumps({name: round(value, 6) for name, value in figures.items()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
