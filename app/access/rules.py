"""Who there is, and what a key looks like."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from app.errors import NotAllowed, NotAuthenticated

KEY = re.compile(r"^ew_([a-z0-9]{10})_([A-Za-z0-9]{43,64})$")
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SECRET_ALPHABET = ALPHABET + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Role(StrEnum):
    """What somebody is to the authority."""

    ADMINISTRATOR = "administrator"
    LICENSING_OFFICER = "licensing_officer"
    INSPECTOR = "inspector"
    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    GRIEVANCE_OFFICER = "grievance_officer"
    DASHBOARD = "dashboard"
    EXPORTER = "exporter"


OF_THE_AUTHORITY = frozenset(Role) - {Role.EXPORTER}
READS_FILINGS = frozenset(
    {
        Role.LICENSING_OFFICER,
        Role.INSPECTOR,
        Role.REVIEWER,
        Role.SUPERVISOR,
        Role.AUDITOR,
        Role.DASHBOARD,
        Role.EXPORTER,
    }
)


class KeyMissing(NotAuthenticated):
    """The request carries no key, or one that is not known, has expired or was revoked."""


class PasswordMissing(NotAuthenticated):
    """The request carries no key as password, or one that is not known, has expired or was revoked."""

    headers: ClassVar[Mapping[str, str]] = {
        "WWW-Authenticate": 'Basic realm="Endwatch", charset="UTF-8"'
    }


class RoleNotAllowed(NotAllowed):
    """The role of this key may not do that."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: a key, its role, and for exporters the party it is bound to."""

    key: str
    role: Role
    party: str | None = None

    @property
    def name(self) -> str:
        """How the journal names the actor."""
        return f"{self.role}:{self.key}"

    @property
    def owner(self) -> str:
        """Whose idempotency keys these are: the party's, or the key's own."""
        return f"party:{self.party}" if self.party else f"key:{self.key}"

    @property
    def reads_only(self) -> str | None:
        """The one party whose records the actor may read; None means all of them."""
        return self.party if self.role is Role.EXPORTER else None


def mint() -> tuple[str, str]:
    """Make a new key's id and secret."""
    id = "".join(secrets.choice(ALPHABET) for _ in range(10))
    secret = "".join(secrets.choice(SECRET_ALPHABET) for _ in range(43))
    return id, secret


def digest(secret: str) -> bytes:
    """Hash a secret for storing. It has 256 bits of chance, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()
