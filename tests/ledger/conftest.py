import pytest

from tests.ledger.books import tamper


@pytest.fixture
def empty_audit_journal(transactional_db: None) -> None:
    """Without what migrations have put on record, so that tests can count."""
    tamper("DELETE FROM ledger_auditseal; DELETE FROM ledger_auditentry")
