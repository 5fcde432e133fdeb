"""django-hordak beside our ledger: transfers one by one in one process, and a balance read. One line of JSON.

Runs under the interpreter of a virtual environment of its own and imports nothing of ours:
`python bench/beside_hordak.py postgresql://… 1500`: so many transfers.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
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


def main(url: str, transfers: int) -> None:
    configure(url)
    from django.core.management import call_command  # noqa: PLC0415 - needs settings
    from hordak.models import Account, AccountType  # noqa: PLC0415
    from moneyed import Money  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    accounts = list(Account.objects.all()) or [
        Account.objects.create(
            name=f"account {number}", code=str(number), type=AccountType.asset, currencies=["CNY"]
        )
        for number in range(ACCOUNTS)
    ]
    gc.collect()  # the same as ours does
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    for number in range(-WARM, transfers):
        if number == 0:
            began, used = time.perf_counter(), cpu_ms()
        accounts[number % ACCOUNTS].transfer_to(accounts[(number * 7 + 1) % ACCOUNTS], Money(100, "CNY"))
    rate, used = transfers / (time.perf_counter() - began), (cpu_ms() - used) / transfers
    began = time.perf_counter()
    for account in accounts[:READS]:
        account.get_balance()
    milliseconds = 1000 * (time.perf_counter() - began) / READS
    told = {"hordak": rate, "cpu_ms_hordak": used, "hordak_balance_ms": milliseconds}
    print(json.dumps({name: round(value, 3) for name, value in told.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
