"""Reads the files of the sample world as steps in time, moved by a whole number of days.

See `samples/README.md` for the files, and `app.cli.samples` for who takes the steps.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.access.rules import Actor, Role
from app.assessments import partitions
from app.cli import tables
from app.cli.layouts import FileTrouble, layout_from_model
from app.licenses import amendments
from app.licenses import service as licenses
from app.licenses.schemas import AmendmentIn, LicenseIn
from app.reports import lines, readings
from app.reports import service as reports
from app.reports.schemas import ReportIn
from app.shipments import service as shipments
from app.shipments.schemas import ShipmentIn

LAST_DAY = date(2026, 10, 31)
AHEAD = 2  # months that sixty days may reach into, after their first
GRANTED, LEFT, DELIVERED = time(8, tzinfo=UTC), time(15, tzinfo=UTC), time(20, tzinfo=UTC)
DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(T[0-9:.]+Z)?")

OFFICER = Actor("samples-officer", Role.LICENSING_OFFICER)
SECOND = Actor("samples-second-officer", Role.LICENSING_OFFICER)
INSPECTOR = Actor("samples-inspector", Role.INSPECTOR)


class Step(NamedTuple):
    """Something that happens in the sample world at a time: what is called with session and now."""

    at: datetime
    do: Callable[..., object]


def moved(value: Any, by: timedelta) -> Any:
    """Move every date and UTC time in JSON by a whole number of days; prose is left alone."""
    if isinstance(value, dict):
        return {key: moved(item, by) for key, item in value.items()}
    if isinstance(value, list):
        return [moved(item, by) for item in value]
    match = DATED.fullmatch(value) if isinstance(value, str) else None
    return f"{date.fromisoformat(match[1]) + by}{match[2] or ''}" if match else value


def at(day: date, hour: time) -> datetime:
    """Give the time of an hour on a day."""
    return datetime.combine(day, hour)


@dataclass
class World:
    """The files, moved by so many days; `ids` are those that reports have been given so far."""

    folder: Path
    by: timedelta
    exporters: dict[str, str] = field(init=False)
    ids: dict[str, UUID] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Note whose license is whose."""
        self.exporters = {
            license["number"]: license["exporter"]["reference"]
            for license in self.read("licenses.json")
        }

    @property
    def last_day(self) -> date:
        """The day on which it ends."""
        return LAST_DAY + self.by

    def read(self, name: str) -> Any:
        """Read a JSON file; raises FileTrouble."""
        try:
            return moved(json.loads((self.folder / name).read_text("utf-8")), self.by)
        except (OSError, ValueError) as error:
            raise FileTrouble(f"{name}: {error}") from error

    def exporter(self, license: str) -> Actor:
        """Name the machine of the exporter whose license it is."""
        party = self.exporters[license]
        return Actor(f"samples-{party}", Role.EXPORTER, party)

    def steps(self) -> list[Step]:
        """Give everything that happens, in order of time."""
        every = (self._registered, self._shipped, self._amended, self._reported, self._said)
        return sorted((step for part in every for step in part()), key=lambda step: step.at)

    def _registered(self) -> Iterator[Step]:
        """Register licenses on the morning of the day they were granted."""
        for body in self.read("licenses.json"):
            license = LicenseIn.model_validate(body)
            do = partial(licenses.register, license=license, actor=OFFICER)
            yield Step(at(license.granted_on, GRANTED), do)

    def _shipped(self) -> Iterator[Step]:
        """File shipments on the day they left."""
        for path in sorted(self.folder.glob("shipments*")):
            for row in tables.read(path, layout_from_model(ShipmentIn)):
                if isinstance(row, tables.BadRow):
                    raise FileTrouble(f"{path.name}: {row}")
                shipment = ShipmentIn.model_validate(moved(row.values, self.by))
                actor = self.exporter(shipment.license)
                do = partial(shipments.file, shipment=shipment, actor=actor)
                yield Step(at(shipment.date, LEFT), do)

    def _amended(self) -> Iterator[Step]:
        """Let one officer propose amendments, and another approve them later."""
        for entry in self.read("amendments.json"):
            number, ids = entry["license"], list[int]()
            amendment = AmendmentIn.model_validate(entry["amendment"])
            do = partial(_propose, number=number, amendment=amendment, ids=ids)
            yield Step(datetime.fromisoformat(entry["proposed_at"]), do)
            do = partial(_approve, number=number, ids=ids)
            yield Step(datetime.fromisoformat(entry["approved_at"]), do)

    def _reported(self) -> Iterator[Step]:
        """File reports when they were written down: an exporter's own, or an inspector's."""
        for folder in ("attestations", "inspections"):
            for path in sorted((self.folder / folder).glob("*.json")):
                body = self.read(f"{folder}/{path.name}")
                ours = folder == "inspections"
                actor = INSPECTOR if ours else self.exporter(body["license"])
                do = partial(_report, ids=self.ids, body=body, actor=actor)
                yield Step(datetime.fromisoformat(body["captured_at"]), do)

    def _said(self) -> Iterator[Step]:
        """Deliver each day's readings in the evening, one batch an exporter.

        The file is in the order in which readings reached the gateway, so a line belongs to the
        newest day so far: that of a late reading is not its own.
        """
        batches: dict[tuple[date, str], list[dict[str, Any]]] = {}
        newest = date.min
        for reading in self._readings():
            newest = max(newest, date.fromisoformat(reading["observed_at"][:10]))
            whose = self.exporters[reading["license"]]
            batches.setdefault((newest, whose), []).append(reading)
        first = next(iter(batches))[0]
        yield Step(at(first, GRANTED), partial(partitions.prepare, ahead=AHEAD))
        for (day, _), batch in batches.items():
            actor = self.exporter(batch[0]["license"])
            yield Step(at(day, DELIVERED), partial(_deliver, batch=batch, actor=actor))

    def _readings(self) -> Iterator[dict[str, Any]]:
        with gzip.open(self.folder / "readings.ndjson.gz", "rt", encoding="utf-8") as file:
            for line in file:
                yield moved(json.loads(line), self.by)


def _propose(
    session: Session, *, number: str, amendment: AmendmentIn, ids: list[int], now: datetime
) -> None:
    """Propose an amendment, and tell its id to whoever will approve it."""
    ids.append(amendments.propose(session, number, amendment, actor=OFFICER, now=now).id)


def _approve(session: Session, *, number: str, ids: list[int], now: datetime) -> None:
    amendments.approve(session, number, ids[0], actor=SECOND, now=now)


def _report(
    session: Session, *, ids: dict[str, UUID], body: dict[str, Any], actor: Actor, now: datetime
) -> None:
    """File a report; what it corrects is named by reference, since ids are not known beforehand."""
    if "corrects" in body:
        body = body | {"corrects": str(ids[body["corrects"]])}
    report = ReportIn.model_validate_json(json.dumps(body))
    ids[report.reference] = reports.file(session, report, actor=actor, now=now).id


def _deliver(session: Session, *, batch: list[dict[str, Any]], actor: Actor, now: datetime) -> None:
    """File a batch of readings; every line of the samples must be taken."""
    body = "\n".join(map(json.dumps, batch)).encode()
    answer = readings.file(
        session,
        lines.parse(body, "application/x-ndjson", len(batch)),
        digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
        id=uuid4(),
        actor=actor,
        now=now,
    )
    if answer.rejected:
        raise FileTrouble(f"readings.ndjson.gz: {now:%Y-%m-%d}: {answer.rejected[0].detail}")
