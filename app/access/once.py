"""The same request sent twice is done once, and answered twice with the same answer.

A POST may carry `Idempotency-Key`. Its first answer is kept in the request's own transaction, so
the key and what it did are committed together or not at all.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from app.access.models import AnswerGiven
from app.access.rules import Actor
from app.errors import Conflict, Invalid

KEPT_TO_COMPARE = 256 * 1024
KEY = re.compile(r"^[\x21-\x7e]{1,200}$")


class KeyUsedForOther(Conflict):
    """This idempotency key was used before for another request."""


class KeyUnfit(Invalid):
    """An idempotency key is 1 to 200 visible ASCII characters."""


class Replay(Exception):
    """The request was done before; this carries the answer it got."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body

    def response(self) -> Response:
        """Give the first answer again."""
        return Response(
            self.body,
            self.status,
            {"Idempotent-Replayed": "true"},
            media_type="application/json",
        )


class Once:
    """Does a thing once per idempotency key of its owner."""

    def __init__(self, key: str | None, request: str, body: bytes) -> None:
        self.key = key
        self.request = request
        self.body = body

    def __call__(
        self,
        do: Callable[[], BaseModel],
        *,
        session: Session,
        actor: Actor,
        now: datetime,
        status: int = 201,
    ) -> Response:
        """Do it, or raise `Replay` with the answer it got the first time.

        The answer is written here, in the request's own thread and transaction: it is what is kept.
        """
        if self.key is None:
            return _json(do(), status)
        digest = hashlib.sha256(self.body).digest()
        values = {
            "owner": actor.owner,
            "key": self.key,
            "request": self.request,
            "digest": digest,
            "sent": self.body if len(self.body) <= KEPT_TO_COMPARE else None,
            "created_at": now,
        }
        mine = session.execute(
            upsert(AnswerGiven).values(values).on_conflict_do_nothing().returning(AnswerGiven.key)
        ).first()
        if mine is None:
            self._replay(session, actor, digest)
        done = _json(do(), status)
        session.execute(
            update(AnswerGiven)
            .where(AnswerGiven.owner == actor.owner, AnswerGiven.key == self.key)
            .values(status=status, answer=bytes(done.body))
        )
        return done

    def _replay(self, session: Session, actor: Actor, digest: bytes) -> None:
        given = session.scalars(
            select(AnswerGiven).where(AnswerGiven.owner == actor.owner, AnswerGiven.key == self.key)
        ).one()
        if given.request != self.request or given.digest != digest:
            raise KeyUsedForOther(
                f"Idempotency-Key {self.key!r} belongs to an earlier {given.request}. "
                "Use a new key for a new request.",
                pointer="/idempotency-key",
                diff=difference(given.sent, self.body),
            )
        raise Replay(given.status or 200, given.answer or b"")


def _json(done: BaseModel, status: int) -> Response:
    return Response(done.model_dump_json(by_alias=True), status, media_type="application/json")


def difference(before: bytes | None, after: bytes | None) -> list[str]:
    """Show where two JSON bodies differ, 40 lines at most."""
    if before is None or after is None:
        return ["the bodies differ; they are too large to compare here"]
    lines = difflib.unified_diff(
        _lines(before), _lines(after), "first", "this one", lineterm="", n=1
    )
    return list(lines)[:40]


def _lines(body: bytes) -> list[str]:
    try:
        return json.dumps(json.loads(body), indent=1, sort_keys=True).splitlines()
    except ValueError:
        return body.decode(errors="replace").splitlines()


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(description="Same key and body: the first answer again.")
    ] = None,
) -> Once:
    if idempotency_key is not None and not KEY.match(idempotency_key):
        raise KeyUnfit("Use 1 to 200 visible ASCII characters.", pointer="/idempotency-key")
    body = await request.body() if idempotency_key is not None else b""
    return Once(idempotency_key, f"{request.method} {request.url.path}", body)


OnceDep = Annotated[Once, Depends(_once)]
