"""Balances after each row, which must follow from each other. Pure."""

from reconciliation.errors import StatementTotalsDiffer


class Chain:
    """Some writers list the oldest row first, some the newest: one of both must hold from end to end."""

    def __init__(self) -> None:
        self._change = self._balance = 0
        self._begun = False
        self._oldest_first = self._newest_first = True

    def add(self, change: int, balance: int, *, line: int) -> None:
        if self._begun:
            self._oldest_first = self._oldest_first and balance == self._balance + change
            self._newest_first = self._newest_first and self._balance == balance + self._change
            if not (self._oldest_first or self._newest_first):
                raise StatementTotalsDiffer(
                    f"Line {line}: its balance does not follow from the one before. A row is wrong or missing: "
                    "fetch the file again.",
                    line=line,
                )
        self._change, self._balance, self._begun = change, balance, True
