"""Rules' expressions evaluated together, or compiled, say what CEL says of each alone."""

from collections.abc import Callable
from typing import Any

import cel
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from risk import starting_v3
from risk.compiled import Compiled
from risk.expressions import Together
from risk.operands import Asked, Field, asked
from risk.variables import FIELDS as REAL

VARIABLES: dict[str, dict[str, Any]] = {
    "payment": {"amount_cny": 500, "currency": "CNY", "stage": "payment.amount_cny > 9"},
    "customer": {"known": True, "paid_orders": 0},
    "signal": {"amount": 5.5, "age": -1.0},
}
PLAIN = [
    "payment.amount_cny > 400",
    "payment.amount_cny > 400 && (customer.known || signal.amount < 1.0)",
    "customer . paid_orders == 0",
    'payment.currency == "payment.amount_cny"',
    "payment.stage == 'payment.amount_cny > 9'",
    "!customer.known",
    "!customer.known == false && !!customer.known",
    "payment.currency != 'it\"s' || payment.currency != \"it's\"",
    "signal.age == -1.0 || signal.amount > 5",
    "customer.known != (payment.currency == payment.stage)",
    "\ttrue\n",
]
SIMPLE = [
    *PLAIN,
    "signal.amount * 2.0 >= 11.0",
    "payment.amount_cny + 1 > 500",
    "payment.amount_cny > 499.5",
    "payment.amount_cny > 400u",
    "payment.amount_cny != 0x10",
    "payment.amount_cny <= 9223372036854775807",
    "payment.currency < payment.stage",
    "signal.amount > 1e0",
    "'CN' + 'Y' == payment.currency",
    "payment.amount_cny < 9 == customer.known",
    "--payment.amount_cny == 500",
    "customer.known in [true]",
    "payment.amount_cny",
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
    "customer.known && payment.amount_cny",
    "payment.currency > 5",
    "customer.known || payment.missing == 1",
]


def alone(expression: str, variables: dict[str, dict[str, Any]] = VARIABLES) -> Any:
    try:
        return cel.compile(expression).execute(cel.Context(variables=variables))
    except Exception:  # noqa: BLE001
        return None


def reader(group: str, name: str) -> Callable[[Asked], Any]:
    return lambda asked: asked.inputs[group][name]


FIELDS = {
    group: {name: Field(type(value), reader(group, name)) for name, value in some.items()}
    for group, some in VARIABLES.items()
}


def together(expressions: list[str], variables: dict[str, dict[str, Any]] = VARIABLES) -> list[Any]:
    return Together(expressions, FIELDS).answers(asked({"facts": {}, **variables}, 0), lambda: variables)


@pytest.mark.parametrize(
    "expressions",
    [PLAIN, SIMPLE, INTRICATE, [*INTRICATE, *SIMPLE], [*SIMPLE, *FAILING], FAILING, []],
    ids=["plain", "simple", "intricate", "both", "some fail", "all fail", "none"],
)
def test_together_they_say_what_each_says_alone(expressions: list[str]) -> None:
    answers = together(expressions)
    expected = [alone(expression) for expression in expressions]
    assert answers == expected
    assert [type(answer) for answer in answers] == [type(answer) for answer in expected]


def test_only_what_is_named_is_read_and_groups_only_where_it_takes_them() -> None:
    few = {"facts": {}, "payment": {"amount_cny": 500}, "customer": VARIABLES["customer"]}
    named = [SIMPLE[0], SIMPLE[2], "payment.amount_cny + 1 > 500"]
    assert Together(named, FIELDS).answers(asked(few, 0), dict) == [True, True, True]


def test_plain_expressions_are_compiled_and_no_others() -> None:
    every = [*SIMPLE, *INTRICATE, *FAILING]
    assert [every[place] for place in Compiled(every, FIELDS).places] == PLAIN
    rules = [rule["expression"] for rule in starting_v3.RULES]
    left = set(range(len(rules))) - set(Compiled(rules, REAL).places)
    assert all(" + " in rules[place] for place in left) and len(left) < 5


@pytest.mark.parametrize("amount", ["500", True, 500.0, None, [500]])
def test_what_is_not_of_its_type_is_left_to_cel(amount: Any) -> None:
    other = {**VARIABLES, "payment": {**VARIABLES["payment"], "amount_cny": amount}}
    assert together(SIMPLE, other) == [alone(expression, other) for expression in SIMPLE]


@pytest.mark.parametrize("nested", ["(" * 90 + "{}" + ")" * 90, "!" * 400 + "{}", "{} && " * 400 + "true"])
def test_what_is_long_is_judged_as_well(nested: str) -> None:
    expression = nested.replace("{}", "customer.known")
    assert together([expression]) == [alone(expression)]


WHOLE = st.one_of(
    st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 3),
)
PARTS = st.one_of(
    st.sampled_from([0.0, -0.0, -1.0, 1.5, 2.0**53]), st.floats(allow_nan=False), WHOLE.map(float)
)
TEXTS = st.one_of(
    st.sampled_from(["", "CN", "it's", 'a "b"', "中文", "é😀", "payment.amount_cny", "a\\b", "// x", "&&"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)
VALUES = st.fixed_dictionaries(
    {
        "payment": st.fixed_dictionaries({"amount_cny": WHOLE, "currency": TEXTS, "stage": TEXTS}),
        "customer": st.fixed_dictionaries({"known": st.booleans(), "paid_orders": WHOLE}),
        "signal": st.fixed_dictionaries({"amount": PARTS, "age": PARTS}),
    }
)
ATOMS = st.one_of(
    st.sampled_from([f"{group}.{name}" for group, some in VARIABLES.items() for name in some]),
    st.sampled_from(
        ["true", "false", "0", "1", "-1", "1.5", "-1.0", "''", '"CN"', "'中文'", "007", "1.", "2u"]
    ),
    st.sampled_from(["payment.missing", "payment . amount_cny", "nobody.known", "!customer.known"]),
    WHOLE.map(str),
    PARTS.map(lambda number: f"{number:.3f}"),
    TEXTS.map(lambda text: f'"{text}"'),
    TEXTS.map(lambda text: f"'{text}'"),
)
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, inner, SIGNS, inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["&&", "||"]), inner),
        inner.map("({})".format),
        inner.map("!{}".format),
        inner.map("!({})".format),
    )


# Those of one type are seldom drawn by chance.
TYPED = st.one_of(
    st.builds("payment.amount_cny {} {}".format, SIGNS, WHOLE),
    st.builds("{} {} customer.paid_orders".format, WHOLE, SIGNS),
    st.builds("signal.amount {} {:.2f}".format, SIGNS, PARTS),
    st.builds("signal.amount {} {}".format, SIGNS, WHOLE),
    st.builds("payment.currency {} '{}'".format, SIGNS, TEXTS),
    st.builds("payment.amount_cny {} customer.paid_orders".format, SIGNS),
    st.builds("signal.amount {} signal.age".format, SIGNS),
    st.just("customer.known"),
)
EXPRESSIONS = st.recursive(st.one_of(TYPED, TYPED, ATOMS), _larger, max_leaves=4)


@given(st.recursive(TYPED, _larger, max_leaves=4), VALUES)
@example("!customer.known == (signal.age < 0) && 'CN' != payment.currency || false", VARIABLES)
def test_what_is_compiled_says_what_cel_says(expression: str, values: dict[str, dict[str, Any]]) -> None:
    compiled = Compiled([expression], FIELDS)
    assume(compiled.places)
    assert compiled.answers(asked({"facts": {}, **values}, 0)) == [alone(expression, values)]


@given(st.lists(EXPRESSIONS, max_size=4), VALUES)
def test_any_expressions_together_say_what_cel_says_of_each(
    drawn: list[str], values: dict[str, dict[str, Any]]
) -> None:
    expressions = [one for one in drawn if _is_expression(one)]
    answers, expected = together(expressions, values), [alone(one, values) for one in expressions]
    assert list(map(repr, answers)) == list(map(repr, expected))


def _is_expression(text: str) -> bool:
    try:
        return bool(cel.compile(f"({text})"))
    except ValueError:
        return False
