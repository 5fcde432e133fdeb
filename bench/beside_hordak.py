"""django-hordak beside our ledger: transfers one by one in one process, and a balance read. One line of JSON.

Runs under the interpreter of a virtual environment of its own and imports nothing of ours:
`python bench/beside_hordak.py postgresql://… 300 3`: so many transfers a round, so many rounds.
"""

import json
import statistics
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings

ACCOUNTS = 1000


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


def main(url: str, transfers: int, rounds: int) -> None:
    configure(url)
    from django.core.management import call_command  # noqa: PLC0415 - needs settings
    from hordak.models import Account, AccountType  # noqa: PLC0415
    from moneyed import Money  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    accounts = [
        Account.objects.create(
            name=f"account {number}", code=str(number), type=AccountType.asset, currencies=["CNY"]
        )
        for number in range(min(ACCOUNTS, transfers))
    ]
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        for number in range(transfers):
            source = accounts[number % len(accounts)]
            source.transfer_to(accounts[(number * 7 + 1) % len(accounts)], Money(100, "CNY"))
        rates.append(transfers / (time.perf_counter() - began))
    began = time.perf_counter()
    for account in accounts[:100]:
        account.get_balance()
    print(
        json.dumps(
            {
                "per_second": statistics.median(rates),
                "balance_ms": 10 * (time.perf_counter() - began),
                "django": django.get_version(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
