"""Django finds the engine here."""

import select
from typing import Any

from django.db.backends.postgresql import base
from django.db.transaction import TransactionManagementError
from psycopg.pq import TransactionStatus

from ledger import wire

_FAILED = TransactionStatus.INERROR


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Asked before the first statement of every request. A connection at rest has nothing to read: the server sends
        unasked only that it leaves, or what it was told anew, and then it is asked whether it still answers."""
        if self.connection is None or self.connection.closed:
            return False
        watch = select.poll()
        watch.register(self.connection.fileno(), select.POLLIN)
        return not watch.poll(0) or bool(super().is_usable())

    def create_cursor(self, name: str | None = None) -> Any:
        wire.send_posted(self)
        return super().create_cursor(name)

    def _commit(self) -> None:
        # PostgreSQL answers COMMIT of a transaction in which something failed with ROLLBACK, and no error.
        if self.connection is not None and self.connection.pgconn.transaction_status == _FAILED:
            raise TransactionManagementError(
                "A statement failed before: nothing of this transaction is kept."
            )
        if not wire.commit_posted(self):
            super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        wire.forget_posted(self)
        super()._rollback()  # type: ignore[misc]
