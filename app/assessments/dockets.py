"""Loads licenses as their monitors see them, and keeps the last few thousand in memory.

A docket is remembered by license and revision: every change of a license raises its revision, so a
remembered docket is never stale.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from pydantic_core import from_json
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.licenses.schemas import start_of
from monitors import Party, Severity, StateSpan, TermsModel, catalogue

_log = structlog.get_logger()

REMEMBERED = 2_000

# One JSON text a license: a thousand rows column by column cost more (docs/benchmarks.md).
_CONDITIONS = text("""
SELECT license_id, json_agg(json_build_array(
    id, key, version, kind, terms::text, severity, binds, lines, effective_from, effective_to
) ORDER BY key, version)::text AS versions
FROM conditions WHERE license_id = ANY(:ids) GROUP BY license_id
""")
_PARTIES = text("""
SELECT l.license_id, p.reference, l.role, p.name, p.country
FROM license_parties l JOIN parties p ON p.id = l.party_id
WHERE l.license_id = ANY(:ids) ORDER BY l.id
""")
_STATES = text("""
SELECT license_id, state, effective_on FROM license_states
WHERE license_id = ANY(:ids) ORDER BY id
""")
_SITES = text("""
SELECT l.license_id, s.reference
FROM license_sites l JOIN sites s ON s.id = l.site_id WHERE l.license_id = ANY(:ids)
""")


class Shelf:
    """The dockets last used by this process."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._dockets: OrderedDict[tuple[int, int], Docket] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[int, int]) -> Docket | None:
        """Find the docket of a license at a revision."""
        with self._lock:
            docket = self._dockets.get(key)
            if docket is not None:
                self._dockets.move_to_end(key)
            return docket

    def keep(self, key: tuple[int, int], docket: Docket) -> None:
        """Remember a docket, forgetting the one longest unused."""
        with self._lock:
            self._dockets[key] = docket
            if len(self._dockets) > self._size:
                self._dockets.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._dockets.clear()


_shelf = Shelf()


def load(session: Session, licenses: Sequence[tuple[int, int]]) -> dict[int, Docket]:
    """Give the dockets of licenses by id; each is asked for by id and revision."""
    known = {key[0]: docket for key in licenses if (docket := _shelf.get(key))}
    missing = [id for id, _ in licenses if id not in known]
    if missing:
        rows = session.scalars(select(License).where(License.id.in_(missing))).all()
        for license, docket in _read(session, rows):
            _shelf.keep((license.id, license.revision), docket)
            known[license.id] = docket
    return known


def _read(session: Session, licenses: Sequence[License]) -> list[tuple[License, Docket]]:
    ids = {"ids": [license.id for license in licenses]}
    conditions = {
        license_id: from_json(versions)
        for license_id, versions in session.execute(_CONDITIONS, ids)
    }
    parties = _grouped(session.execute(_PARTIES, ids))
    sites = _grouped(session.execute(_SITES, ids))
    states = _grouped(session.execute(_STATES, ids))
    return [
        (
            license,
            docket_of(
                license,
                rulings=[_ruling(*row) for row in conditions.get(license.id, ())],
                parties=[
                    Party(row.reference, row.role, row.name, row.country)
                    for row in parties.get(license.id, ())
                ],
                sites=[row.reference for row in sites.get(license.id, ())],
                states=[(row.state, row.effective_on) for row in states.get(license.id, ())],
            ),
        )
        for license in licenses
    ]


def _grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = {}
    for row in rows:
        groups.setdefault(row.license_id, []).append(row)
    return groups


def docket_of(
    license: License,
    *,
    rulings: Iterable[Ruling | None],
    parties: Iterable[Party],
    sites: Iterable[str],
    states: Iterable[tuple[str, date]],
) -> Docket:
    """Make the docket of a license: its conditions, and the monitors that stand on every license."""
    zone = ZoneInfo(license.time_zone)
    by_key: dict[str, list[Ruling]] = {}
    for ruling in rulings:
        if ruling is not None:
            by_key.setdefault(ruling.key, []).append(ruling)
    return Docket(
        license_id=license.id,
        license=license.number,
        exporter=license.exporter,
        state=license.state,
        granted_on=license.granted_on,
        expires_on=license.expires_on,
        time_zone=license.time_zone,
        end_use=license.end_use,
        countries=tuple(license.destination_countries),
        sites=frozenset(sites),
        parties=tuple(parties),
        rulings={key: tuple(versions) for key, versions in by_key.items()}
        | standing_rulings(start_of(license.granted_on, zone)),
        states=tuple(StateSpan(state, start_of(day, zone)) for state, day in states),
    )


def standing_rulings(since: datetime) -> dict[str, tuple[Ruling, ...]]:
    """Give the rulings of the monitors that apply without being written on the license."""
    return {
        kind: (
            ruling_of(
                kind=kind,
                terms=terms_of(kind, "{}"),
                condition_id=None,
                key=kind,
                version=1,
                severity=monitor.severity,
                binds=(),
                lines=frozenset(),
                effective_from=since,
                effective_to=None,
            ),
        )
        for kind, monitor in catalogue().monitors.items()
        if monitor.standing
    }


def _ruling(
    id: int,
    key: str,
    version: int,
    kind: str,
    terms: str,
    severity: str,
    binds: list[str],
    lines: list[int],
    effective_from: str,
    effective_to: str | None,
) -> Ruling | None:
    """Read one condition version; a kind that is no longer in the catalogue judges nothing."""
    if kind not in catalogue():
        _log.error("kind_unknown", kind=kind, condition=id)
        return None
    return ruling_of(
        condition_id=id,
        key=key,
        version=version,
        kind=kind,
        terms=terms_of(kind, terms),
        severity=Severity(severity),
        binds=tuple(binds),
        lines=frozenset(lines),
        effective_from=datetime.fromisoformat(effective_from),
        effective_to=datetime.fromisoformat(effective_to) if effective_to else None,
    )


def ruling_of(
    *,
    kind: str,
    terms: TermsModel,
    condition_id: int | None,
    key: str,
    version: int,
    severity: Severity,
    binds: tuple[str, ...],
    lines: frozenset[int],
    effective_from: datetime,
    effective_to: datetime | None,
) -> Ruling:
    """Put a condition version and its monitor together."""
    monitor = catalogue()[kind]
    return Ruling(
        condition_id=condition_id,
        key=key,
        version=version,
        kind=kind,
        monitor=monitor,
        terms=terms,
        hears=monitor.hears(terms),
        severity=severity,
        binds=binds,
        lines=lines,
        effective_from=effective_from,
        effective_to=effective_to,
        facts=monitor.facts_read(terms),
        shadow=catalogue().shadows.get(kind),
    )


@lru_cache(maxsize=20_000)
def terms_of(kind: str, terms: str) -> TermsModel:
    """Read stored terms; equal texts share one object."""
    return catalogue().terms(kind, json.loads(terms))


def forget() -> None:
    """Forget remembered dockets: for a process that sees another database."""
    _shelf.clear()


def one(session: Session, license: License) -> Docket:
    """Give the docket of one license."""
    return load(session, [(license.id, license.revision)])[license.id]
