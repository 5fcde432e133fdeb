"""One name for a request, from its answer to the audit journal."""

from ledger.selectors import audit_trail
from tests.api.conftest import Caller


def test_the_audit_journal_names_the_request(guest: Caller) -> None:
    placed = guest.order()
    name = placed.headers["X-Request-ID"]
    assert name
    assert {entry.request_id for entry in audit_trail(placed.body["id"])} == {name}
