"""The OpenAPI document: what is committed is what is served, and whatever it allows never breaks the server."""

import itertools
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application
from tests.api.conftest import Caller

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "openapi.yaml"
EXAMPLES = 8  # of each operation: half a minute on a slow machine
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
METHODS = {"get", "post", "put", "patch", "delete"}


def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(DOCUMENT.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return read


OPERATIONS = [
    (path, method) for path, methods in document()["paths"].items() for method in methods if method in METHODS
]


def test_every_documented_code_is_in_the_table_of_errors() -> None:
    responses = [
        (int(status), example["value"]["code"])
        for path in document()["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        for example in response["content"].get("application/problem+json", {}).get("examples", {}).values()
    ]
    table = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert len(set(responses)) > 50
    assert [pair for pair in set(responses) if "| {} | `{}` |".format(*pair) not in table] == []


def test_the_committed_document_is_the_served_one() -> None:
    generated = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=generated)
    assert generated.getvalue() == DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def real(merchant: Caller, transactional_db: None) -> dict[str, Any]:
    """What exists, for cases to stumble over: random identifiers alone would only ever meet 404."""
    paid, waiting = merchant.order(), merchant.order()
    payment = merchant.pay(paid)
    refund = merchant.post(
        "refunds", {"payment": payment.body["id"], "reason": "x", "amount": {"amount": 1, "currency": "CNY"}}
    )
    endpoint = merchant.post("webhook_endpoints", {"url": "https://merchant.example/hook", "events": ["*"]})
    return {
        "headers": merchant.headers,
        "endpoint": endpoint.body["id"],
        "order": waiting.body["id"],
        "payment": payment.body["id"],
        "refund": refund.body["id"],
        "quote": merchant.quote,
        "turn": itertools.count(),
    }


@pytest.fixture(scope="module")
def schema() -> "schemathesis.BaseSchema":
    read = schemathesis.openapi.from_path(DOCUMENT)
    read.app = application
    return read


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def answer_as_documented(case: "schemathesis.Case[Any]", real: dict[str, Any]) -> None:
    if next(real["turn"]) % 2:
        for name in real.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = real[name]
        if isinstance(case.body, dict):
            case.body.update({name: real[name] for name in ("order", "payment") if name in case.body})
            if "quote" in case.body:
                case.body["quote"] = real["quote"]()
                case.body["items"] = [{"sku": "tea", "quantity": 1}]
    response = case.call(headers=real["headers"])
    case.validate_response(response, checks=CHECKS)
    if "problem" in response.headers.get("content-type", [""])[0]:
        assert {"type", "title", "status", "detail", "code"} <= json.loads(response.content).keys()


# What `schema.parametrize()` does, but when the test runs: every worker would make all cases while it collects.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_nothing_that_the_document_allows_breaks_the_server(
    path: str, method: str, schema: "schemathesis.BaseSchema", real: dict[str, Any]
) -> None:
    try_cases = build_operation_test(
        config=schema.config,
        operation=schema[path][method],
        test_func=answer_as_documented,
        given_kwargs={},
        feedback=FeedbackSources(constants_value_source=make_constants_value_source(schema)),
    )
    try_cases(real=real)
