"""Calls to the outside: the one way out, and what it refuses (decision record 30)."""

from app.outbound.calling import Answer, Caller, Limits
from app.outbound.troubles import CallFailed, CallRefused

__all__ = ["Answer", "CallFailed", "CallRefused", "Caller", "Limits"]
