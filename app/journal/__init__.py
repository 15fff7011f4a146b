"""The sealed record and change feed of everything."""

from app.journal.service import append, append_all, read

__all__ = ["append", "append_all", "read"]
