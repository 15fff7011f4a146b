from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.access.rules import Role
from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.licenses import service as licenses
from app.shipments import custody
from app.shipments.filing import CLOCKS_DIFFER, ReferenceTaken
from app.shipments.models import Custody
from app.shipments.schemas import CustodyIn
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem, rows

AT = "2026-04-01T10:00:00Z"


def event(**more: Any) -> dict[str, Any]:
    """Gate FR-1 goes from the exporter to the border agency."""
    return {
        "reference": "C-1",
        "at": AT,
        "serials": ["FR-1"],
        "disposition": "transferred",
        "from_party": "NORDLICHT",
        "to_party": "KE-BCA",
    } | more


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(serials=("FR-1", "FR-2", "FR-3"))["number"])


@pytest.fixture
def path(number: str) -> str:
    return f"/v1/licenses/{number}/custody"


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door(Role.INSPECTOR)


def _units(sessions: Sessions) -> list[tuple[str, str, datetime | None]]:
    with sessions() as session:
        found = session.execute(
            select(Custody.event, Custody.serial, Custody.corrected_at).order_by(Custody.id)
        )
        return [(named, serial, corrected_at) for named, serial, corrected_at in found]


def test_units_of_one_event_are_told_one_by_one(
    exporter: Door, number: str, path: str, time: Clock
) -> None:
    filed = exporter.post(path, event(serials=["FR-2", "FR-1"], site="NBO-T9"))
    now = time().isoformat().replace("+00:00", "Z")
    assert filed.status_code == 201
    assert filed.json() == {
        "license": number,
        "reference": "C-1",
        "at": AT,
        "units": 2,
        "grade": "E",
        "said_by": "NORDLICHT",
        "received_at": now,
    }
    ((first, second),) = pages(exporter, path, 10)
    assert (first["serial"], second["serial"]) == ("FR-1", "FR-2")
    assert first == {
        "reference": "C-1",
        "serial": "FR-1",
        "at": AT,
        "disposition": "transferred",
        "from_party": "NORDLICHT",
        "to_party": "KE-BCA",
        "site": "NBO-T9",
        "authorized": None,
        "grade": "E",
        "said_by": "NORDLICHT",
        "received_at": now,
        "corrected_at": None,
    }


def test_only_the_authority_says_whether_it_was_authorized(
    exporter: Door, inspector: Door, officer: Door, path: str, sessions: Sessions
) -> None:
    for said in (True, False):
        refused = exporter.post(path, event(authorized=said))
        told = problem(refused, 403, "authorization-not-yours")
        assert told["pointer"] == "/authorized"
    assert rows(sessions, "custody") == {"custody": 0}
    seen = inspector.post(path, event(authorized=False)).json()
    told = officer.post(path, event(reference="C-2", authorized=True)).json()
    assert (seen["grade"], seen["said_by"]) == ("A", "inspector")
    assert (told["grade"], told["said_by"]) == ("E", "licensing_officer")
    ((first, second),) = pages(exporter, path, 10)
    assert (first["authorized"], second["authorized"]) == (False, True)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "units it lacks": ({"serials": ["FR-1", "XX-1", "XX-2"]}, "serial-unknown", "/serials"),
    "no unit": ({"serials": []}, "fields-invalid", "/serials"),
    "a unit twice": ({"serials": ["FR-1", "FR-1"]}, "fields-invalid", "/serials"),
    "what cannot become of it": ({"disposition": "eaten"}, "fields-invalid", "/disposition"),
    "a time without its zone": ({"at": "2026-04-01T10:00:00"}, "fields-invalid", "/at"),
    "itself": ({"corrects": "C-1"}, "fields-invalid", "/corrects"),
    "nothing that is there": ({"corrects": "C-0"}, "correction-unfit", "/corrects"),
    "nothing at all": (
        {"disposition": None, "from_party": None, "to_party": None},
        "fields-invalid",
        "",
    ),
}


def test_an_event_that_cannot_be_is_refused(
    exporter: Door, path: str, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions, "custody", "journal_pending")
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            told = problem(exporter.post(path, event(**change)), 422, slug)
            assert told["pointer"] == pointer
            assert rows(sessions, "custody", "journal_pending") == before
    told = problem(exporter.post(path, event(serials=["FR-1", "XX-1"])), 422)
    assert "XX-1" in told["detail"]
    assert "FR-1" not in told["detail"]


def test_a_clock_may_be_ahead_by_ten_minutes_and_no_more(
    exporter: Door, path: str, time: Clock
) -> None:
    limit = time() + CLOCKS_DIFFER
    over = event(at=(limit + timedelta(microseconds=1)).isoformat())
    assert problem(exporter.post(path, over), 422, "not-yet-come")["pointer"] == "/at"
    assert exporter.post(path, event(at=limit.isoformat())).status_code == 201


def test_ten_thousand_units_make_one_event_and_one_more_does_not(
    exporter: Door, officer: Door, make_license: MakeLicense, sessions: Sessions
) -> None:
    serials = tuple(f"G{at}" for at in range(10_000))
    path = f"/v1/licenses/{make_license(serials=serials)['number']}/custody"
    too_many = exporter.post(path, event(serials=[*serials, "G10000"]))
    assert problem(too_many, 422, "fields-invalid")["pointer"] == "/serials"
    assert exporter.post(path, event(serials=serials)).json()["units"] == 10_000
    again = exporter.post(path, event(serials=serials))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert rows(sessions, "custody") == {"custody": 10_000}


def test_the_same_event_again_gets_its_first_answer(
    exporter: Door, path: str, sessions: Sessions, time: Clock
) -> None:
    body = event(serials=["FR-1", "FR-2"])
    first = exporter.post(path, body)
    time.forward(hours=1)
    again = exporter.post(path, body | {"serials": ["FR-2", "FR-1"]})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert rows(sessions, "custody") == {"custody": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"serials": ["FR-1", "FR-2"]},
        {"at": "2026-04-01T10:00:01Z"},
        {"disposition": "returned"},
        {"from_party": None},
        {"site": "NBO-T1"},
        {"corrects": "C-0"},
    ],
    ids=str,
)
def test_another_event_of_the_same_reference_is_refused_with_the_difference(
    change: dict[str, Any], exporter: Door, path: str, sessions: Sessions
) -> None:
    exporter.post(path, event())
    told = problem(exporter.post(path, event(**change)), 409, "reference-taken")
    assert told["pointer"] == "/reference"
    assert any(line.startswith("+") and str(*change) in line for line in told["diff"]) or (
        "FR-2" in "".join(told["diff"])
    )
    assert rows(sessions, "custody") == {"custody": 1}


def test_a_reference_belongs_to_its_author(exporter: Door, inspector: Door, path: str) -> None:
    exporter.post(path, event())
    told = problem(inspector.post(path, event()), 409, "reference-taken")
    assert "NORDLICHT" in told["detail"]


def test_a_wrong_event_is_corrected_by_another(
    exporter: Door, path: str, sessions: Sessions, time: Clock
) -> None:
    exporter.post(path, event(serials=["FR-1", "FR-2"]))
    exporter.post(path, event(reference="C-9"))
    time.forward(days=1)
    right = event(reference="C-2", serials=["FR-3"], corrects="C-1")
    first = exporter.post(path, right)
    assert first.status_code == 201
    assert _units(sessions) == [
        ("C-1", "FR-1", time()),
        ("C-1", "FR-2", time()),
        ("C-9", "FR-1", None),
        ("C-2", "FR-3", None),
    ]
    corrected_at = time()
    time.forward(days=1)
    assert exporter.post(path, right).content == first.content
    problem(exporter.post(path, right | {"corrects": "C-9"}), 409, "reference-taken")
    twice = exporter.post(path, event(reference="C-3", corrects="C-1"))
    assert problem(twice, 422, "correction-unfit")["pointer"] == "/corrects"
    assert exporter.post(path, event(reference="C-3", corrects="C-2")).status_code == 201
    assert _units(sessions)[0] == ("C-1", "FR-1", corrected_at)
    assert _units(sessions)[3] == ("C-2", "FR-3", time())


def test_an_event_that_never_was_is_withdrawn_by_one_that_says_nothing_else(
    exporter: Door, path: str, sessions: Sessions, time: Clock
) -> None:
    exporter.post(path, event())
    nothing = {"reference": "C-2", "at": AT, "serials": ["FR-1"], "corrects": "C-1"}
    assert exporter.post(path, nothing).status_code == 201
    assert _units(sessions) == [("C-1", "FR-1", time()), ("C-2", "FR-1", None)]


def test_everybody_corrects_only_the_events_of_their_own_role(
    exporter: Door, inspector: Door, door: OpenDoor, path: str, sessions: Sessions
) -> None:
    inspector.post(path, event())
    correction = event(reference="C-2", corrects="C-1")
    problem(exporter.post(path, correction), 422, "correction-unfit")
    assert _units(sessions) == [("C-1", "FR-1", None)]
    assert door(Role.INSPECTOR).post(path, correction).status_code == 201


def test_what_is_not_yours_is_not_there(door: OpenDoor, exporter: Door, path: str) -> None:
    assert exporter.post(path, event()).status_code == 201
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    for address in (path, "/v1/licenses/BX-NONE/custody"):
        problem(stranger.post(address, event()), 404, "license-unknown")
        problem(stranger.get(address), 404, "license-unknown")
    supervisor = door(Role.SUPERVISOR)
    problem(supervisor.post(path, event()), 403, "role-not-allowed")
    assert len(supervisor.get(path).json()["items"]) == 1


def test_custody_is_listed_unit_by_unit_oldest_first(exporter: Door, path: str) -> None:
    for at, day in enumerate((5, 3, 4)):
        moment = f"2026-04-{day:02}T10:00:00Z"
        exporter.post(path, event(reference=f"C-{at}", at=moment, serials=["FR-2", "FR-1"]))
    wanted = [("FR-1", "C-1"), ("FR-1", "C-2"), ("FR-1", "C-0")]
    wanted += [("FR-2", reference) for _, reference in wanted]
    for limit in (1, 2, 4, 6):
        found = pages(exporter, path, limit)
        listed = [(one["serial"], one["reference"]) for page in found for one in page]
        assert listed == wanted
    of_one = pages(exporter, f"{path}?serial=FR-2", 2)
    assert [one["serial"] for page in of_one for one in page] == ["FR-2"] * 3
    assert exporter.get(f"{path}?serial=XX-1").json() == {"items": [], "next": None}
    problem(exporter.get(f"{path}?after=nonsense"), 422, "cursor-unreadable")


def test_a_capture_records_all_its_events_or_none(
    exporter: Door, number: str, sessions: Sessions, time: Clock
) -> None:
    first = CustodyIn.model_validate(event())
    second = CustodyIn.model_validate(event(reference="C-2", corrects="C-1"))
    with sessions() as session:
        license = licenses.locked(session, number, party=None)
        told = custody.record(
            session, license, [first, second, second], actor=exporter.actor, now=time()
        )
        again = custody.record(
            session, license, [second, first], actor=exporter.actor, now=time.forward(hours=1)
        )
        session.commit()
    assert [one.again for one in told] == [False, False, False]
    assert [(one.answer, one.again) for one in again] == [
        (told[1].answer, True),
        (told[0].answer, True),
    ]
    third = CustodyIn.model_validate(event(reference="C-3"))
    other = CustodyIn.model_validate(event(reference="C-2", to_party="SOMEBODY"))
    with sessions() as session:
        license = licenses.locked(session, number, party=None)
        with pytest.raises(ReferenceTaken) as refused:
            custody.record(session, license, [third, other], actor=exporter.actor, now=time())
    assert refused.value.more["event"] == "C-2"
    assert [named for named, _, _ in _units(sessions)] == ["C-1", "C-2"]


def test_an_event_is_told_to_the_journal_and_its_license_is_attended(
    exporter: Door,
    number: str,
    path: str,
    sessions: Sessions,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    with sessions() as session:
        session.execute(text("UPDATE licenses SET attend_from = NULL"))
        session.commit()
    exporter.post(path, event())
    with sessions() as session:
        assert session.scalar(text("SELECT attend_from FROM licenses")) == time()
    sequencer.tick()
    last = exporter.get("/v1/journal").json()["items"][-1]
    assert (last["action"], last["subject"]) == ("custody.recorded", f"custody:{number}/C-1")
    assert last["body"]["to_party"] == "KE-BCA"
