"""Reports and readings over HTTP."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header, Request, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import May, Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep, sender
from app.errors import Conflict, Invalid
from app.evidence.naming import EvidenceNotHandedIn
from app.lanes import Lanes
from app.licenses.service import LicenseUnknown
from app.reports import lines, readings, refusals, rules, service, signatures
from app.reports.daily import Daily, ReadingsQuotaUsed, ReportsQuotaUsed
from app.reports.schemas import ReadingsOut, ReportIn, ReportOut
from app.reports.show import ReportFiled, ReportRead, keys, show, show_whole
from app.reports.signatures import SentDep
from app.settings import Settings
from app.wire import Limit, Page, problems
from app.wire.bodies import BodyTooLarge, EncodingBroken, EncodingUnknown, decoded
from app.wire.pages import page_of

router = APIRouter(prefix="/v1", tags=["reports"])

_reports = May(
    Role.EXPORTER,
    Role.INSPECTOR,
    Role.LICENSING_OFFICER,
    Role.REVIEWER,
    Role.SUPERVISOR,
)
Reporter = Annotated[Actor, Depends(_reports)]
Gateway = Annotated[Actor, may(Role.EXPORTER, Role.INSPECTOR)]


async def _daily(request: Request) -> Daily:
    daily: Daily = request.app.state.daily
    return daily


DailyDep = Annotated[Daily, Depends(_daily)]


@router.post(
    "/reports",
    response_model=ReportOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        rules.KindNotYours,
        service.ReferenceTaken,
        KeyUsedForOther,
        rules.FactRefused,
        rules.SubjectUnknown,
        rules.InFuture,
        EvidenceNotHandedIn,
        *signatures.REFUSALS,
        BodyTooLarge,
        Invalid,
        ReportsQuotaUsed,
    ),
    dependencies=[refusals.telling(_reports)],
)
def file(
    report: ReportIn,
    reporter: Reporter,
    session: SessionDep,
    now: Now,
    once: OnceDep,
    received: SentDep,
    daily: DailyDep,
) -> Response:
    """File a report. It is judged at once; the same report again gets the same answer.

    An exporter may sign it: `docs/signatures.md` says how. A signature that does not hold is refused.
    """

    def do() -> ReportOut:
        daily.admit_report(session, reporter, now)
        answer = service.file(session, report, actor=reporter, now=now, received=received)
        daily.took("reports", 1, reporter, now)
        return answer

    return once(
        do,
        session=session,
        actor=reporter,
        now=now,
    )


@router.get("/reports", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    license: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> Page[ReportFiled]:
    """List reports, latest first."""
    rows = service.listed(
        session, party=reader.reads_only, license=license, after=after, limit=limit
    )
    return page_of(rows, limit, lambda report: show(report, reader), keys)


@router.get("/reports/{id}", responses=problems(service.ReportUnknown))
def read(id: UUID, reader: Reader, session: SessionDep) -> ReportRead:
    """Read a report as it was handed in, with the answer it got and the files it names."""
    report = service.read(session, id, party=reader.reads_only)
    return show_whole(session, report, reader)


async def _raw(request: Request) -> AsyncIterator[bytes]:
    """Read a batch, of which so many are held in memory at once and no more."""
    lanes: Lanes = request.app.state.lanes
    async with lanes.batches.place(sender(request)):
        yield await request.body()


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


@router.post(
    "/readings",
    response_model=ReadingsOut,
    responses=problems(
        EncodingBroken,
        BodyTooLarge,
        EncodingUnknown,
        Conflict,
        ReadingsQuotaUsed,
        readings.NothingReadable,
        lines.NotAList,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/json": {
                    "schema": {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/ReadingIn"},
                    }
                },
            },
        }
    },
)
def take(
    gateway: Gateway,
    body: Annotated[bytes, Depends(_raw, scope="function")],
    session: SessionDep,
    now: Now,
    once: OnceDep,
    settings: Annotated[Settings, Depends(_settings)],
    daily: DailyDep,
    content_type: Annotated[str, Header()] = "application/x-ndjson",
    content_encoding: Annotated[str, Header(description="gzip, zstd or none")] = "",
) -> Response:
    """Take readings in bulk, one JSON object a line. Every line is told of, none silently dropped."""

    def do() -> ReadingsOut:
        plain = decoded(body, content_encoding, settings.readings_limit_bytes)
        media_type = content_type.partition(";")[0].strip().lower()
        parsed = lines.parse(plain, media_type, settings.readings_limit_lines)
        daily.admit_readings(session, len(parsed.lines), gateway, now)
        answer = readings.file(
            session,
            parsed,
            digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
            id=uuid4(),
            actor=gateway,
            now=now,
        )
        daily.took("readings", answer.accepted, gateway, now)
        return answer

    return once(do, session=session, actor=gateway, now=now, status=200)
