"""Fetches what monitors ask to hear and to see beside the statements they must judge."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.assessments import files, rules, statements
from app.assessments.hindsight import Then
from app.assessments.rules import Docket, Ruling
from app.assessments.statements import INSTANT, LONGEST, Beyond, Probe, Question, Units
from monitors import Case, Hears, Need, Statement, Subject, catalogue

Said = Sequence[Statement[Any]]


@dataclass(frozen=True, slots=True)
class Hearing:
    """Statements about one license, to be judged together, in order of when they were true.

    With `late`, monitors that must hear other statements are left out: they judge history again
    once everything is stored.
    """

    docket: Docket
    said: Said
    units: Units
    late: bool = False


CLOCKS_DIFFER = timedelta(minutes=10)
"""What is filed may be dated this far ahead."""


class Asked(NamedTuple):
    """How statements are asked for: those that several monitors ask for alike are fetched once."""

    stating: str
    apart: bool
    every: bool


def _asked(hears: Hears) -> Asked:
    return Asked(hears.stating, hears.apart, hears.every)


def _least(one: Beyond, other: tuple[tuple[str, float], ...] | None) -> Beyond:
    """Let whoever asks for more be served: with no limit at all, or with the lowest."""
    if one is None or other is None:
        return None
    least = dict(one)
    for name, limit in other:
        least[name] = min(limit, least.get(name, limit))
    return least


class Loaded:
    """What monitors asked for beside the statements, fetched once for all hearings together."""

    def __init__(self, session: Session, hearings: Sequence[Hearing], now: datetime) -> None:
        self._session = session
        self._then = Then(now + CLOCKS_DIFFER, now)
        self._parts: dict[tuple[int, Need], dict[str, tuple[Any, ...]]] = {}
        self._whole: dict[int, Units] = {}
        self._inventories: dict[int, list[Statement[Any]]] = {}
        self._earlier: dict[tuple[int, Asked], list[Statement[Any]]] = {}
        self._hear(hearings)

    def _hear(self, hearings: Sequence[Hearing]) -> None:
        """Ask once for each fact that some monitor must hear back, all in one way to the database."""
        asked = self._asked(hearings)
        questions: list[Question] = list(asked.values())
        counted = self._counted(hearings)
        answered = statements.answers(
            self._session, questions if counted is None else [*questions, counted]
        )
        if counted is not None:
            self._inventories = answered.pop()
        for one, found in zip(asked, answered, strict=True):
            for license_id, said in found.items():
                self._earlier[license_id, one] = sorted(said, key=statements.order)

    def _asked(self, hearings: Sequence[Hearing]) -> dict[Asked, Question]:
        """Write a question for each fact, of every subject of which it is asked."""
        probes: dict[Asked, dict[tuple[int, Subject, datetime], Probe]] = {}
        beyond: dict[Asked, Beyond] = {}
        for hearing in hearings:
            for ruling in listening(hearing):
                asked = _asked(ruling.hears)
                beyond[asked] = _least(beyond.get(asked, {}), ruling.hears.beyond)
                wanted = probes.setdefault(asked, {})
                for probe in self._probes(hearing, ruling):
                    key = probe.license_id, probe.subject, probe.until
                    if key not in wanted or probe.since < wanted[key].since:
                        wanted[key] = probe
        return {
            one: statements.before(list(wanted.values()), **one._asdict(), beyond=beyond[one])
            for one, wanted in probes.items()
            if wanted
        }

    def _counted(self, hearings: Sequence[Hearing]) -> Question | None:
        """Ask for the inventories of sites that some monitor sets against what units say."""
        spans = [
            (hearing, hearing.said[0].observed_at - (ruling.hears.window or LONGEST))
            for hearing in hearings
            for ruling in listening(hearing)
            if ruling.hears.inventories
        ]
        if not spans:
            return None
        return statements.inventories(
            sorted({hearing.docket.license_id for hearing, _ in spans}),
            min(since for _, since in spans),
            max(hearing.said[-1].observed_at for hearing, _ in spans),
        )

    def _probes(self, hearing: Hearing, ruling: Ruling) -> Iterable[Probe]:
        """Say which earlier statements a monitor must hear."""
        hears, license_id = ruling.hears, hearing.docket.license_id
        window = hears.window or LONGEST
        first = hearing.said[0].observed_at
        if hears.latest or hears.every:
            said = {one.subject: one for one in reversed(hearing.said)}
            subjects: Iterable[Subject] = (
                self._all(hearing, hears.stating) if hears.scope == "license" else said
            )
            if hears.inventories:
                subjects = {*subjects, *map(_unit, sighted(hearing.said))}
            since, until = first - window, first - INSTANT
            for subject in subjects:
                yield Probe(license_id, subject, since, until, said.get(subject))
        if hears.lag is not None:
            for one in hearing.said:
                until = one.observed_at - hears.lag
                yield Probe(license_id, one.subject, one.observed_at - window, until)

    def _all(self, hearing: Hearing, stating: str) -> Iterator[Subject]:
        """Name every subject of the license of which a fact may be stated."""
        word = catalogue().facts.get(stating)
        scopes = word.scopes if word else ("unit", "site", "license")
        if "unit" in scopes:
            yield from (Subject("unit", serial) for serial in self._units(hearing))
        if "site" in scopes:
            yield from (Subject("site", site) for site in sorted(hearing.docket.sites))
        if "license" in scopes:
            yield Subject("license", hearing.docket.license)

    def _units(self, hearing: Hearing) -> Units:
        """Read every unit of the license, once."""
        license_id = hearing.docket.license_id
        if license_id not in self._whole:
            self._whole |= statements.units_of(self._session, [license_id]) or {license_id: {}}
        return self._whole.get(license_id, {})

    def _before(self, hearing: Hearing, ruling: Ruling, said: Said) -> Said:
        """Give what was stored, and what stands in the same hearing under other terms or lines."""
        hears = ruling.hears
        stored = self._earlier.get((hearing.docket.license_id, _asked(hears)), [])
        if hears.inventories:
            stored = self._with_inventories(hearing, stored, said)
        if hears.window is not None and stored:
            since = said[0].observed_at - hears.window
            stored = [one for one in stored if one.observed_at >= since]
        judged = {one.id for one in said}
        beside = hearing.said if len(said) < len(hearing.said) else ()
        both = [one for one in (*stored, *beside) if one.id not in judged]
        return sorted(both, key=statements.order) if beside else both

    def _with_inventories(self, hearing: Hearing, stored: Said, said: Said) -> list[Statement[Any]]:
        """Add the inventories from before that name a unit of which something was said."""
        counted = self._inventories.get(hearing.docket.license_id)
        if not counted:
            return list(stored)
        named = {one.subject.reference for one in said}
        known = {one.id for one in stored}
        first = said[0].observed_at
        added = [
            one
            for one in counted
            if one.observed_at < first
            and one.id not in known
            and not named.isdisjoint(one.facts.sighted_serials)
        ]
        return sorted([*stored, *added], key=statements.order) if added else list(stored)

    def context(self, hearing: Hearing) -> rules.Context:
        """Make the function that gives a monitor its case."""

        def case(ruling: Ruling, said: Said) -> Case:
            whole = ruling.hears.scope == "license" and not ruling.hears.nothing
            return rules.case_of(
                hearing.docket,
                ruling,
                units=self._units(hearing) if whole else hearing.units,
                earlier=() if ruling.hears.nothing else self._before(hearing, ruling, said),
                **self._filed(hearing.docket, ruling),
            )

        return case

    def _filed(self, docket: Docket, ruling: Ruling) -> dict[str, tuple[Any, ...]]:
        """Give what is on file, each part read once; standing monitors get it with the file alone."""
        parts: dict[str, tuple[Any, ...]] = {}
        if ruling.monitor.standing:
            return parts
        for need in ruling.monitor.needs & files.FILED:
            key = docket.license_id, need
            if key not in self._parts:
                self._parts[key] = files.read(self._session, docket, [need], self._then)
            parts |= self._parts[key]
        return parts


def _unit(serial: str) -> Subject:
    return Subject("unit", serial)


def sighted(said: Said) -> set[str]:
    """Name the units that inventories name."""
    return {serial for one in said for serial in one.facts.sighted_serials or ()}


def touched(said: Said) -> set[str]:
    """Name everything that statements are about: their subjects, and the units they sighted."""
    return {one.subject.reference for one in said} | sighted(said)


def interrupts(session: Session, hearing: Hearing) -> bool:
    """Say whether statements that are stored already come after the first of these.

    Then monitors that hear other statements must judge history again.
    """
    rulings = listening(hearing)
    if not rulings:
        return False
    whole = any(ruling.hears.scope == "license" for ruling in rulings)
    subjects = None if whole else touched(hearing.said)
    return statements.any_since(
        session, hearing.docket.license_id, hearing.said[0].observed_at, subjects
    )


def stated(said: Said) -> frozenset[str]:
    """Name the facts that were stated."""
    return frozenset[str]().union(*[one.facts.__dict__ for one in said])


def touches_file(docket: Docket, said: Said) -> bool:
    """Say whether what was said bears on the file: what is awaited, or what became of a unit."""
    names = stated(said)
    if "disposition" in names:  # it may end what is owed about the unit
        return True
    for versions in docket.rulings.values():
        monitor = versions[0].monitor
        if monitor.awaits is not None and not versions[0].facts.isdisjoint(names):
            return True
        if Need.CUSTODY in monitor.needs and not names.isdisjoint(files.BECAME):
            return True
    return False


def listens(docket: Docket, said: Said) -> bool:
    """Say whether the verdict on what was said depends on other statements."""
    return bool(listening(Hearing(docket, said, {})))


def listening(hearing: Hearing) -> list[Ruling]:
    """Find the rulings that must hear more than the statements themselves."""
    names = stated(hearing.said)
    return [
        ruling
        for versions in hearing.docket.rulings.values()
        for ruling in versions
        if not ruling.hears.nothing
        and (ruling.monitor.any_fact or not ruling.facts.isdisjoint(names))
    ]
