"""What can go wrong, named as the situation. The status follows from the meaning.

Each docstring is the public documentation of the problem and becomes its title; `type` is the
class name in kebab-case. A detail says what is wrong and what to do, `pointer` which field.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Trouble(Exception):
    """Something went wrong on our side."""

    status: ClassVar[int] = 500
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        detail: str = "",
        *,
        pointer: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.errors = list(errors)
        self.more = more
        self.wait: int | None = None
        """Seconds for `Retry-After`, where it depends on more than the kind of trouble."""

    @classmethod
    def slug(cls) -> str:
        """Name the problem for machines: LicenseUnknown is `license-unknown`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """Name the problem for people: the first line of the docstring."""
        return (inspect.getdoc(cls) or cls.__name__).splitlines()[0].rstrip(".")

    def told_headers(self) -> dict[str, str]:
        """Give the headers of the answer."""
        wait = {} if self.wait is None else {"Retry-After": str(self.wait)}
        return {**self.headers, **wait}

    def problem(self) -> dict[str, Any]:
        """Build the RFC 9457 body."""
        body: dict[str, Any] = {
            "type": f"urn:endwatch:problem:{self.slug()}",
            "title": self.title(),
            "status": self.status,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.pointer is not None:
            body["pointer"] = self.pointer
        if self.errors:
            body["errors"] = self.errors
        return body | self.more


class Malformed(Trouble):
    """The request cannot be read."""

    status = 400


class NotAuthenticated(Trouble):
    """No valid key came with the request."""

    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class NotAllowed(Trouble):
    """This role may not do that."""

    status = 403


class Unknown(Trouble):
    """There is nothing here by that name."""

    status = 404


class Conflict(Trouble):
    """The request contradicts what is already recorded."""

    status = 409


class TooLarge(Trouble):
    """The body is larger than this address takes."""

    status = 413


class NotReadable(Trouble):
    """The body is of a media type or encoding this address does not take."""

    status = 415


class Invalid(Trouble):
    """A field is missing or wrong."""

    status = 422


class TooMany(Trouble):
    """Too many requests at once."""

    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class Unavailable(Trouble):
    """The service cannot reach its database just now; nothing was stored."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class StorageFull(Trouble):
    """The storage is full; nothing was stored."""

    status = 507
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "30"}
