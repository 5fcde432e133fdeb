"""Each rule of `rules.py` lets the house stand and catches its planted offender; so does each rule left to ruff."""

import ast
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from tests.house import rules

_OFFENDERS = {
    "state_is_written_by_models": [
        ("payments/services/capture.py", "def capture(*, payment):\n    payment.state = 'SUCCEEDED'\n"),
        ("checkout/tasks.py", "order.state, order.note = 'PAID', ''\n"),
        ("risk/services/expire.py", "def expire(*, rows):\n    rows.update(state='EXPIRED')\n"),
    ],
    "rows_are_locked_by_models": [("checkout/selectors.py", "Order.objects.select_for_update().get()\n")],
    "no_float_near_money": [
        ("checkout/pricing.py", "total = float(price) * 1.1\n"),
        ("payments/models/payment.py", "amount = models.FloatField()\n"),
    ],
    "saves_name_their_fields": [
        ("risk/services/decide.py", "def decide(*, case):\n    case.save()\n"),
        ("payments/models/payment.py", "payment.save(force_update=True)\n"),
    ],
    "work_is_queued_behind_the_outbox": [
        ("checkout/services/place.py", "def place():\n    confirm.delay(1)\n"),
        ("payments/handlers.py", "settle.apply_async()\n"),
    ],
    "transactions_belong_to_use_cases": [
        ("checkout/views.py", "with transaction.atomic(durable=True):\n    pass\n"),
        ("payments/selectors.py", "@atomic\ndef read():\n    pass\n"),
        ("payments/services/refund.py", "def refund():\n    with transaction.atomic():\n        pass\n"),
        ("payments/services/refund.py", "@transaction.atomic\ndef refund():\n    pass\n"),
    ],
    "a_service_is_one_function": [
        ("ledger/services/post.py", "def post(*, key):\n    pass\n\n\ndef post_many(*, keys):\n    pass\n"),
        ("ledger/services/post.py", "def write(*, key):\n    pass\n"),
        ("ledger/services/post.py", "def post(key):\n    pass\n"),
    ],
    "functions_are_short": [("sandbox/wallet.py", "def pay():\n" + "    pass\n" * 50)],
    "files_are_short": [("tests/test_everything.py", "pass\n" * 401)],
}
_ALLOWED = [
    (
        "payments/models/payment.py",
        "payment.state = 'INIT'\nrows.select_for_update()\nrows.update(state='DEAD')\n",
    ),
    ("risk/features.py", "score = float(age)\n"),
    ("checkout/services/place.py", "def place():\n    order.save(force_insert=True)\n"),
    ("checkout/services/place.py", "def place():\n    order.save(update_fields=['note'])\n"),
    ("checkout/views.py", "request.session.save()\nform.save()\n"),
    ("checkout/models.py", "class Order:\n    def save(self, **kept):\n        super().save(**kept)\n"),
    ("payments/subscribers.py", "carry_out.delay('ref_1')\n"),
    (
        "ledger/services/post.py",
        "def post(*, key):\n    with transaction.atomic(durable=True):\n        _write(key)\n",
    ),
    (
        "risk/services/add.py",
        "def add():\n    try:\n        with atomic():\n            pass\n    except IntegrityError:\n        pass\n",
    ),
    ("config/people.py", "@transaction.atomic(durable=True)\ndef ensure():\n    pass\n"),
    ("sandbox/wallet.py", "def pay():\n    wallet.state = 'PAID'\n"),
]


def _source(path: str, text: str) -> rules.Source:
    return rules.Source(PurePosixPath(path), text, ast.parse(text))


def test_the_house_keeps_its_rules() -> None:
    assert [str(breach) for source in rules.sources() for breach in rules.breaches(source)] == []


def test_every_rule_has_an_offender() -> None:
    assert {rule.__name__ for rule in rules.RULES} == set(_OFFENDERS)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [(rule, path, text) for rule, planted in _OFFENDERS.items() for path, text in planted],
)
def test_the_offender_is_caught_by_its_rule_alone(rule: str, path: str, text: str) -> None:
    source = _source(path, text)
    assert [each.__name__ for each in rules.RULES if list(each(source))] == [rule]


@pytest.mark.parametrize(("path", "text"), _ALLOWED)
def test_what_is_allowed_passes(path: str, text: str) -> None:
    assert rules.breaches(_source(path, text)) == []


_LEFT_TO_RUFF = {
    "C901": "def f(a):\n"
    + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(9))
    + "    return a\n",
    "PLC0415": '"""Late."""\n\n\ndef f():\n    from ledger.money import Money\n\n    return Money\n',
    "TID252": "from .models import Order\n",
    "DTZ005": "from datetime import datetime\n\nnow = datetime.now()\n",
    "BLE001": "try:\n    pass\nexcept Exception:\n    pass\n",
}


@pytest.mark.parametrize(("code", "text"), _LEFT_TO_RUFF.items())
def test_ruff_as_configured_catches_the_rest(code: str, text: str) -> None:
    """Complexity, imports inside functions, relative imports, naive times, blind excepts."""
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    told = subprocess.run(
        [*ruff, "--stdin-filename", "checkout/pricing.py", "-"],
        cwd=rules.ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1 and f" {code} " in told.stdout
