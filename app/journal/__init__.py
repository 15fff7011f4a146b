"""The sealed record and change feed of everything."""

from app.journal.receipts import Receipt, receipt_of
from app.journal.service import append, append_all, read

__all__ = ["Receipt", "append", "append_all", "read", "receipt_of"]
