"""What an EPCIS capture answers, and what parties and sites are called in it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from app.wire import Moment, Out, Strict
from monitors import Code

ErrorBehaviour = Literal["rollback", "proceed"]
Verdict = Literal["captured", "ignored", "refused"]


class _Camel(Out):
    """Named as EPCIS names things."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class EventOut(_Camel):
    """What became of one event: captured as custody of units, ignored, or refused; and why."""

    position: int
    event_id: str = Field(alias="eventID")
    type: str
    verdict: Verdict
    reason: str | None = None
    licenses: list[str] = []
    units: int = 0


class CaptureError(_Camel):
    """Why an event was refused."""

    type: str = "epcisException:ValidationException"
    title: str
    status: int = 422
    detail: str
    position: int


class CaptureOut(_Camel):
    """A capture job of EPCIS 2.0. It has always finished: all of it was done before the answer."""

    capture_id: str = Field(alias="captureID")
    receipt: UUID
    created_at: Moment
    finished_at: Moment
    running: Literal[False] = False
    success: bool
    capture_error_behaviour: ErrorBehaviour
    errors: list[CaptureError]
    events: list[EventOut]


Identifier = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=300)]


class AliasIn(Strict):
    """What a party or a site is called in events: a GLN of 13 digits, or any URI."""

    identifier: Identifier
    party: Code | None = Field(default=None, description="Reference of the party it means")
    site: Code | None = Field(default=None, description="Reference of the site it means")

    @model_validator(mode="after")
    def _one(self) -> "AliasIn":
        if (self.party is None) == (self.site is None):
            raise ValueError("say which party or which site it means: one of them")
        return self


class AliasOut(Out):
    """An alias on file; GLNs are shown as `gln:` and 13 digits, with the extension of a place."""

    identifier: str
    kind: Literal["party", "site"]
    reference: str
    created_at: Moment
