"""The console's pages of rows of risk."""

from risk.admin import lists, records

__all__ = ["lists", "records"]
