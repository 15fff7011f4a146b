"""RFC 9457 problem details for everything that goes wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.database import NotYours, trouble_of
from app.errors import Invalid, Malformed, Trouble
from app.wire.addresses import shown

_log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class MalformedJson(Malformed):
    """The body is not JSON."""


class FieldsInvalid(Invalid):
    """One or more fields are missing or wrong."""


class Problem(BaseModel):
    """What every error looks like (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str | None = None
    pointer: str | None = None
    errors: list[dict[str, Any]] | None = None


def problems(*kinds: type[Trouble]) -> dict[int | str, dict[str, Any]]:
    """Document the troubles a route can answer with, for its OpenAPI entry."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = by_status.setdefault(
            kind.status, {"model": Problem, "description": "", "content": {MEDIA_TYPE: {}}}
        )
        entry["description"] = " ".join(filter(None, [entry["description"], f"{kind.title()}."]))
    return by_status


def answer(trouble: Trouble) -> JSONResponse:
    """Turn a trouble into its response."""
    return JSONResponse(
        trouble.problem(), trouble.status, headers=trouble.told_headers(), media_type=MEDIA_TYPE
    )


def pointer(location: Sequence[str | int]) -> str:
    """Write a location as JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def field_errors(errors: Sequence[Mapping[str, Any]], body: Any = None) -> list[dict[str, Any]]:
    """Keep of pydantic's errors what helps a caller, never the value itself."""
    told = []
    for error in errors:
        location = list(error["loc"])
        if location and location[0] in {"body", "query", "path", "header"}:
            location = location[1:]
        told.append(
            {
                "pointer": pointer(_found(location, body, missing=error["type"] == "missing")),
                "type": error["type"],
                "detail": _detail(error, location),
            }
        )
    return told


def _detail(error: Mapping[str, Any], location: Sequence[str | int]) -> str:
    """Say what is wrong; of an unknown fact also why it is refused."""
    if error["type"] == "extra_forbidden" and "facts" in location:
        return (
            "Not a fact of the vocabulary; see GET /v1/facts. Biometric data and data about persons "
            "are never taken: only counts, ages, hashes, settings and positions."
        )
    return str(error["msg"])


def _found(location: Sequence[str | int], body: Any, *, missing: bool) -> list[str | int]:
    """Leave out of a location what is no part of the body: the tags of unions."""
    found, here = [], body
    for index, part in enumerate(location, 1):
        if isinstance(here, str | int | float):
            break
        named = missing and index == len(location)
        if isinstance(here, Mapping) and part not in here and not named:
            continue
        found.append(part)
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return found


def of_fields(errors: Sequence[Mapping[str, Any]], body: Any = None) -> Trouble:
    """Make one problem of what pydantic found in a body."""
    told = field_errors(errors, body)
    if errors and errors[0]["type"] == "json_invalid":
        reason = errors[0].get("ctx", {}).get("error", "syntax error")
        return MalformedJson(f"The body is not valid JSON: {reason}.")
    first = told[0]
    more = f" ({len(told) - 1} more in `errors`)" if len(told) > 1 else ""
    return FieldsInvalid(
        f"{first['pointer'] or '/'}: {first['detail']}{more}",
        pointer=first["pointer"],
        errors=told[:50],
    )


def _on_trouble(_: Request, error: Exception) -> Response:
    assert isinstance(error, Trouble)
    return answer(error)


def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(of_fields(error.errors(), error.body))


def _on_disconnect(request: Request, _: Exception) -> Response:
    _log.debug("disconnected", path=shown(request.scope))
    return answer(Malformed("The sender went away before the body was whole."))


def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain(error.status_code, str(error.detail), error.headers)


def plain(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem that has no name of its own, such as 404 for an unknown address."""
    body = {"type": "about:blank", "title": detail, "status": status}
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _on_database(request: Request, error: Exception) -> Response:
    trouble = trouble_of(error)
    if trouble is None:
        return fault(request, error)
    if isinstance(trouble, NotYours):
        _log.error("wall_hit", path=shown(request.scope), error=str(error).splitlines()[0][:200])
    else:
        _log.warning("database_trouble", path=shown(request.scope), trouble=trouble.slug())
    return answer(trouble)


def fault(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw, and log it."""
    _log.error("unexpected", path=shown(request.scope), exc_info=error)
    return answer(Trouble("This is a fault of ours and was logged. Nothing was stored."))


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(Trouble, _on_trouble)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(SQLAlchemyError, _on_database)
    app.add_exception_handler(psycopg.Error, _on_database)  # COPY speaks to the driver itself
    app.add_exception_handler(Exception, fault)
