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
    """This role may not do that."""


class ScopeNotAllowed(NotAllowed):
    """This key was made for other things than that."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: a key or a person, the role, and for exporters the party it is bound to.

    `scopes` narrows what a key may do; none: all that its role may. `made_by` is the person who made
    the key.
    """

    key: str
    role: Role
    party: str | None = None
    scopes: frozenset[str] | None = None
    made_by: str | None = None

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


def id_of(name: str) -> str:
    """Take the id out of an actor's name as the journal writes it; an id alone is itself."""
    return name.rpartition(":")[2]


def same_person(one: str, other: str) -> bool:
    """Say whether two names mean the same person, in whatever role each was written."""
    return id_of(one) == id_of(other)


def scope_of(path: str, method: str) -> str:
    """Name the scope a route needs: its resource, the first part of its path below /v1, and how."""
    parts = [part for part in path.split("/") if part]
    resource = parts[1] if parts[:1] == ["v1"] and len(parts) > 1 else "".join(parts[:1])
    return f"{resource}:{'read' if method in {'GET', 'HEAD', 'OPTIONS'} else 'write'}"


def check_scope(actor: Actor, path: str, method: str) -> None:
    """Refuse what a key was not made for."""
    if actor.scopes is None:
        return
    needed = scope_of(path, method)
    if needed not in actor.scopes:
        raise ScopeNotAllowed(
            f"This needs the scope {needed}; this key has {', '.join(sorted(actor.scopes))}.",
            scope=needed,
        )


def mint() -> tuple[str, str]:
    """Make a new key's id and secret."""
    id = "".join(secrets.choice(ALPHABET) for _ in range(10))
    secret = "".join(secrets.choice(SECRET_ALPHABET) for _ in range(43))
    return id, secret


def digest(secret: str) -> bytes:
    """Hash a secret for storing. It has 256 bits of chance, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()
