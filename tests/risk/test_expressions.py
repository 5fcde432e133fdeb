"""Rules' expressions evaluated together say what each says alone."""

from typing import Any

import cel
import pytest

from risk.expressions import Together

VARIABLES: dict[str, dict[str, Any]] = {
    "payment": {"amount_cny": 500, "currency": "CNY", "stage": "payment.amount_cny > 9"},
    "customer": {"known": True, "paid_orders": 0},
    "signal": {"amount": 5.5},
}
SIMPLE = [
    "payment.amount_cny > 400",
    "payment.amount_cny > 400 && (customer.known || signal.amount < 1.0)",
    "customer . paid_orders == 0",
    'payment.currency == "payment.amount_cny"',
    "payment.stage == 'payment.amount_cny > 9'",
    "!customer.known",
    "signal.amount * 2.0 >= 11.0",
    "payment.currency != 'it\"s' || payment.currency != \"it's\"",
    "true",
]
INTRICATE = [
    "has(payment.amount_cny)",
    "size(payment) == 3",
    "[1, 2].exists(payment, payment == 2)",
    '["CNY", "USD"].exists(c, c == payment.currency)',
    "payment['amount_cny'] == 500",
    "payment.amount_cny > 400 // customer.unknown",
    'payment.currency == "C\\u004eY"',
    "payment.currency == r'CNY'",
    "customer.known ? payment.amount_cny > 1 : false",
    "{'a': payment.amount_cny}.a == 500",
]
FAILING = [
    "payment.amount_cny > signal.amount / 'x'",
    "payment.missing == 1",
    "nobody.known",
    "'x' in customer.known",
]


def alone(expression: str) -> Any:
    try:
        return cel.compile(expression).execute(cel.Context(variables=VARIABLES))
    except Exception:  # noqa: BLE001
        return None


@pytest.mark.parametrize(
    "expressions",
    [SIMPLE, INTRICATE, [*INTRICATE, *SIMPLE], [*SIMPLE, *FAILING], FAILING, []],
    ids=["simple", "intricate", "both", "some fail", "all fail", "none"],
)
def test_together_they_say_what_each_says_alone(expressions: list[str]) -> None:
    answers = Together(expressions).answers(VARIABLES)
    expected = [alone(expression) for expression in expressions]
    assert answers == expected
    assert [type(answer) for answer in answers] == [type(answer) for answer in expected]


def test_of_simple_ones_only_what_they_name_is_read() -> None:
    few = {"payment": {"amount_cny": 500}, "customer": VARIABLES["customer"]}
    assert Together([SIMPLE[0], SIMPLE[2]]).answers(few) == [True, True]
