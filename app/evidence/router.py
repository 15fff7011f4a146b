"""Evidence over HTTP. The body of an upload is read by hand, after everything that can refuse it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar
from urllib.parse import quote

from anyio import CancelScope, CapacityLimiter, fail_after
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from app import walls
from app.access.router import may
from app.access.rules import Actor, Role
from app.access.service import asker
from app.clock import Now
from app.database import SessionDep, Sessions, SessionsDep
from app.errors import StorageFull
from app.evidence import rules, service
from app.evidence.arrivals import Arrival, EvidenceEmpty, EvidenceTooLarge
from app.evidence.room import Room, RoomDep
from app.evidence.rules import (
    DIGEST,
    EncodingTaken,
    EvidenceUnknown,
    QuotaUsed,
    RangeUnfit,
    UploadStalled,
)
from app.evidence.schemas import EvidenceOut, EvidenceRecord
from app.lanes import LaneFull, Lanes, TooManyAtOnce
from app.settings import Settings
from app.wire import problems

router = APIRouter(prefix="/v1/evidence", tags=["evidence"])

T = TypeVar("T")
WRITERS = 4
READERS = 4
PART = 1 << 20
"""Bytes written at once, so that not every packet costs a thread."""
SILENCE_SECONDS = 30
UPLOAD_SECONDS = 900

Filer = Annotated[
    Actor,
    may(
        Role.EXPORTER,
        Role.INSPECTOR,
        Role.LICENSING_OFFICER,
        Role.REVIEWER,
        Role.SUPERVISOR,
    ),
]
EvidenceReader = Annotated[
    Actor,
    may(
        Role.EXPORTER,
        Role.INSPECTOR,
        Role.LICENSING_OFFICER,
        Role.REVIEWER,
        Role.SUPERVISOR,
        Role.AUDITOR,
    ),
]
Digest = Annotated[str, Path(pattern=DIGEST, description="`sha256:` and 64 hexadecimal digits")]

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Accept-Ranges": "bytes",
}
"""A browser neither shows, guesses at, runs nor keeps what it is given."""


class Uploads:
    """Holds what files on their way in may take of a process, so that they starve nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.daily = settings.evidence_daily_bytes
        self._examining = CapacityLimiter(settings.evidence_examiners)
        self._writing = CapacityLimiter(WRITERS)
        self._reading = CapacityLimiter(READERS)

    async def write(self, work: Callable[[], T]) -> T:
        """Do something with the disk in one of a few threads of its own."""
        return await run_sync(work, limiter=self._writing)

    async def examine(self, work: Callable[[], T]) -> T:
        """Have a file examined, after those that came before it."""
        return await run_sync(work, limiter=self._examining)

    async def given(self, content: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Hand a file out as fast as its reader takes it, in threads that nothing else waits for."""
        while (chunk := await run_sync(next, content, None, limiter=self._reading)) is not None:
            yield chunk


async def _uploads(request: Request) -> Uploads:
    uploads: Uploads = request.app.state.uploads
    return uploads


UploadsDep = Annotated[Uploads, Depends(_uploads)]


@router.put(
    "",
    response_model=EvidenceOut,
    status_code=201,
    responses=problems(
        UploadStalled,
        EvidenceTooLarge,
        EncodingTaken,
        EvidenceEmpty,
        QuotaUsed,
        TooManyAtOnce,
        LaneFull,
        StorageFull,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put(
    request: Request,
    filer: Filer,
    session: SessionDep,
    now: Now,
    room: RoomDep,
    uploads: UploadsDep,
    sessions: SessionsDep,
    content_disposition: Annotated[
        str | None, Header(description='The file\'s name: `attachment; filename="…"`')
    ] = None,
    content_type: Annotated[str, Header()] = "application/octet-stream",
    content_encoding: Annotated[str, Header(description="None is taken")] = "",
) -> Response:
    """Hand in a file as it is. It is examined at once; the same file again gets the same answer.

    PDF, JPEG, PNG, HEIC, CSV, XLSX, DOCX, JSON, XML and MP4 are taken, proven by their structure. A
    report names the file by the digest in the answer.
    """
    if content_encoding not in {"", "identity"}:
        raise EncodingTaken("Send the file as it is, without Content-Encoding.")
    lanes: Lanes = request.app.state.lanes
    async with lanes.files.place(filer.owner):
        await uploads.write(lambda: _check(request, room, sessions, uploads, filer, now))
        arrival = await uploads.write(room.arrive)
        try:
            await _receive(request, arrival, uploads)
            kept = await uploads.examine(
                lambda: service.settle(
                    session,
                    room,
                    arrival,
                    name=rules.name_of(content_disposition),
                    media_type=content_type.partition(";")[0].strip().lower()[:100],
                    actor=filer,
                    now=now,
                )
            )
        finally:
            with CancelScope(shield=True):
                await uploads.write(arrival.close)
    again = {"Idempotent-Replayed": "true"} if kept.again else {}
    return Response(
        kept.evidence.model_dump_json(), 201, headers=again, media_type="application/json"
    )


def _check(
    request: Request,
    room: Room,
    sessions: Sessions,
    uploads: Uploads,
    filer: Actor,
    now: datetime,
) -> None:
    """Refuse what can be refused before a byte is read.

    In a transaction of its own: the request's must not stay open while a file trickles in.
    """
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else 0
    if size > room.limit:
        raise EvidenceTooLarge(f"At most {room.limit:,} bytes are taken as evidence.")
    with sessions(info=walls.of(asker(filer))) as session:
        service.admit(session, size, room=room, limit=uploads.daily, actor=filer, now=now)


async def _receive(request: Request, arrival: Arrival, uploads: Uploads) -> None:
    """Write the body to disk as it comes; a sender that falls silent is not waited for."""
    until = time.monotonic() + UPLOAD_SECONDS
    parts, stream = bytearray(), aiter(request.stream())
    while True:
        try:
            with fail_after(SILENCE_SECONDS):
                parts += await anext(stream)
        except StopAsyncIteration:
            break
        except TimeoutError as error:
            raise UploadStalled("Nothing came for too long. Send the file again.") from error
        if time.monotonic() > until:
            raise UploadStalled("The file did not end in time. Send it over a faster line.")
        if len(parts) >= PART:
            data, parts = bytes(parts), bytearray()
            await uploads.write(partial(arrival.write, data))
    await uploads.write(partial(_end, arrival, bytes(parts)))


def _end(arrival: Arrival, data: bytes) -> None:
    arrival.write(data)
    arrival.finish()


@router.get(
    "/{digest}",
    response_class=StreamingResponse,
    responses=problems(
        EvidenceUnknown, service.EvidenceRejected, RangeUnfit, service.EvidenceInQuarantine
    )
    | {
        200: {
            "description": "The file.",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
        206: {"description": "The bytes that `Range` asks for."},
    },
)
def read(
    digest: Digest,
    reader: EvidenceReader,
    session: SessionDep,
    now: Now,
    room: RoomDep,
    uploads: UploadsDep,
    range: Annotated[str | None, Header(description="E.g. `bytes=0-1023`")] = None,
) -> Response:
    """Read a file. The journal tells who has read it, and when."""
    span = rules.span_named(range)
    copy = service.read(session, digest, room=room, actor=reader, span=span, now=now)
    size = copy.file.size
    headers = SAFE | {
        "Content-Disposition": _disposition(copy.name),
        "Content-Length": str(copy.stop - copy.start),
        "ETag": f'"{digest}"',
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {copy.start}-{copy.stop - 1}/{size}"
    return StreamingResponse(
        uploads.given(copy.content), 200 if span is None else 206, headers, copy.file.media_type
    )


def _disposition(name: str) -> str:
    """Name a download for every client (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain.replace('?', '_')}\"; filename*=UTF-8''{quote(name)}"


@router.get("/{digest}/record", responses=problems(EvidenceUnknown))
def record(digest: Digest, reader: EvidenceReader, session: SessionDep) -> EvidenceRecord:
    """Tell what is known of a file: whether it was accepted, what it is, what a photo says."""
    return service.record(session, digest, actor=reader)
