import threading
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.licenses import service as licenses
from app.shipments.filing import CLOCKS_DIFFER
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import once, pages, problem, rows

PATH = "/v1/screenings"
HIT = {"list": "eu-consolidated", "entry": "EU.1234.56", "listed_on": "2026-05-01", "owner": None}


def screening(at: datetime, **more: Any) -> dict[str, Any]:
    """The border agency is compared with two lists, and one entry looks like it."""
    return {
        "party": "KE-BCA",
        "lists": ["eu-consolidated", "us-entity-list"],
        "screened_at": at.isoformat(),
        "hits": [HIT],
    } | more


def decision(*, confirmed: bool, ground: str = "Same address.") -> dict[str, Any]:
    return {"confirmed": confirmed, "ground": ground}


@pytest.fixture
def license(make_license: MakeLicense) -> dict[str, Any]:
    body: dict[str, Any] = make_license()
    return body


@pytest.fixture
def reviewer(door: OpenDoor) -> Door:
    return door(Role.REVIEWER)


@pytest.fixture
def decide(officer: Door, license: dict[str, Any], time: Clock) -> str:
    """The address for decisions on the hit of a screening by the officer."""
    told = officer.post(PATH, screening(time())).json()
    return f"{PATH}/{told['id']}/hits/{told['hits'][0]['id']}/decisions"


def _forget_to_attend(sessions: Sessions) -> None:
    with sessions() as session:
        session.execute(text("UPDATE licenses SET attend_from = NULL"))
        session.commit()


def _attended(sessions: Sessions) -> dict[str, datetime | None]:
    with sessions() as session:
        found = session.execute(text("SELECT number, attend_from FROM licenses")).all()
        return {row.number: row.attend_from for row in found}


def test_a_screening_is_recorded_with_its_hits(
    officer: Door, license: dict[str, Any], time: Clock
) -> None:
    owner = HIT | {"list": "us-entity-list", "listed_on": None, "owner": "Holding Ltd"}
    told = officer.post(PATH, screening(time(), hits=[HIT, owner]))
    assert told.status_code == 201
    shown = told.json()
    now = time().isoformat().replace("+00:00", "Z")
    first, second = (hit["id"] for hit in shown["hits"])
    assert shown == {
        "id": shown["id"],
        "party": "KE-BCA",
        "lists": ["eu-consolidated", "us-entity-list"],
        "screened_at": now,
        "screened_by": officer.actor.name,
        "received_at": now,
        "hits": [
            HIT | {"id": first, "decision": None},
            owner | {"id": second, "decision": None},
        ],
    }
    assert first < second
    assert pages(officer, PATH, 10) == [[shown]]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a party nobody knows": ({"party": "X"}, "party-unknown", "/party"),
    "no list": ({"lists": []}, "fields-invalid", "/lists"),
    "a list twice": ({"lists": ["a", "a"]}, "fields-invalid", "/lists"),
    "a hit of another list": (
        {"hits": [HIT, HIT | {"list": "un-sc"}]},
        "list-not-screened",
        "/hits/1/list",
    ),
    "a time without its zone": (
        {"screened_at": "2026-05-02T00:00:00"},
        "fields-invalid",
        "/screened_at",
    ),
    "a hit that names no entry": ({"hits": [HIT | {"entry": " "}]}, "fields-invalid", ""),
}


def test_a_screening_that_cannot_be_is_refused(
    officer: Door,
    license: dict[str, Any],
    sessions: Sessions,
    time: Clock,
    subtests: pytest.Subtests,
) -> None:
    before = rows(sessions, "screenings", "screening_hits", "journal_pending")
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            told = problem(officer.post(PATH, screening(time(), **change)), 422, slug)
            assert told["pointer"] == (pointer or "/hits/0/entry")
            assert rows(sessions, "screenings", "screening_hits", "journal_pending") == before


def test_nothing_is_screened_or_listed_in_the_future(
    officer: Door, license: dict[str, Any], time: Clock
) -> None:
    limit = time() + CLOCKS_DIFFER
    late = officer.post(PATH, screening(limit + timedelta(microseconds=1)))
    assert problem(late, 422, "not-yet-come")["pointer"] == "/screened_at"
    today = time().astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    tomorrow = HIT | {"listed_on": (today + timedelta(days=1)).isoformat()}
    listed = officer.post(PATH, screening(time(), hits=[tomorrow]))
    assert problem(listed, 422, "not-yet-come")["pointer"] == "/hits/0/listed_on"
    just = screening(limit, hits=[HIT | {"listed_on": today.isoformat()}])
    assert officer.post(PATH, just).status_code == 201


def test_a_screening_sent_twice_under_one_key_is_one(
    officer: Door, license: dict[str, Any], sessions: Sessions, time: Clock
) -> None:
    keyed = {"Idempotency-Key": "k-1"}
    first = officer.post(PATH, screening(time()), headers=keyed)
    again = officer.post(PATH, screening(time()), headers=keyed)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = officer.post(PATH, screening(time(), hits=[]), headers=keyed)
    assert problem(other, 409, "key-used-for-other")["diff"]
    assert rows(sessions, "screenings", "screening_hits") == {"screenings": 1, "screening_hits": 1}


def test_a_second_person_says_whether_a_hit_is_the_party(
    officer: Door, reviewer: Door, door: OpenDoor, decide: str, sessions: Sessions
) -> None:
    alone = officer.post(decide, decision(confirmed=True))
    problem(alone, 409, "second-person-needed")
    assert rows(sessions, "hit_decisions") == {"hit_decisions": 0}
    told = reviewer.post(decide, decision(confirmed=True))
    assert told.status_code == 201
    assert (told.json()["confirmed"], told.json()["ground"]) == (True, "Same address.")
    ((one,),) = pages(officer, PATH, 10)
    assert one["hits"][0]["decision"] == told.json()
    for role in (Role.LICENSING_OFFICER, Role.SUPERVISOR):
        again = door(role).post(decide, decision(confirmed=True))
        assert problem(again, 409, "hit-decided")["pointer"] == "/confirmed"


def test_a_decision_on_a_hit_may_be_thought_over_and_the_latest_counts(
    reviewer: Door, door: OpenDoor, decide: str, sessions: Sessions
) -> None:
    supervisor = door(Role.SUPERVISOR)
    for confirmed, by in ((False, reviewer), (True, supervisor), (False, reviewer)):
        assert by.post(decide, decision(confirmed=confirmed)).status_code == 201
        ((one,),) = pages(supervisor, PATH, 10)
        assert one["hits"][0]["decision"]["confirmed"] is confirmed
    assert rows(sessions, "hit_decisions") == {"hit_decisions": 3}


def test_a_decision_is_on_a_hit_of_this_screening(
    officer: Door, reviewer: Door, decide: str, time: Clock
) -> None:
    other = officer.post(PATH, screening(time())).json()
    mixed = f"{PATH}/{other['id']}/hits/{decide.split('/')[5]}/decisions"
    assert mixed != decide
    for address in (mixed, f"{PATH}/9/hits/9/decisions"):
        problem(reviewer.post(address, decision(confirmed=True)), 404, "hit-unknown")
    problem(reviewer.post(f"{PATH}/1/hits/{2**80}/decisions", decision(confirmed=True)), 422)
    told = problem(reviewer.post(decide, {"confirmed": True}), 422, "fields-invalid")
    assert told["pointer"] == "/ground"


def test_only_the_authority_learns_that_a_party_is_screened(
    exporter: Door,
    officer: Door,
    reviewer: Door,
    door: OpenDoor,
    license: dict[str, Any],
    sequencer: Sequencer,
    time: Clock,
) -> None:
    sequencer.tick()
    before = exporter.get("/v1/journal").json()
    told = officer.post(PATH, screening(time(), party="NORDLICHT")).json()
    decide = f"{PATH}/{told['id']}/hits/{told['hits'][0]['id']}/decisions"
    assert reviewer.post(decide, decision(confirmed=True)).status_code == 201
    sequencer.tick()
    assert exporter.get("/v1/journal").json() == before
    assert "screen" not in exporter.get(f"/v1/licenses/{license['number']}").text
    for answer in (
        exporter.get(PATH),
        exporter.post(PATH, screening(time())),
        exporter.post(decide, decision(confirmed=False)),
    ):
        problem(answer, 403, "role-not-allowed")
    entries = door(Role.AUDITOR).get("/v1/journal").json()["items"][-2:]
    assert [(one["action"], one["party"]) for one in entries] == [
        ("screening.recorded", None),
        ("screening.hit_decided", None),
    ]
    assert entries[0]["body"]["party"] == entries[1]["body"]["party"] == "NORDLICHT"
    assert entries[0]["body"]["hit_ids"] == [entries[1]["body"]["hit"]]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.INSPECTOR, Role.AUDITOR, Role.DASHBOARD])
def test_only_licensing_officers_record_screenings(
    role: Role, door: OpenDoor, license: dict[str, Any], time: Clock
) -> None:
    problem(door(role).post(PATH, screening(time())), 403, "role-not-allowed")


def test_screenings_are_listed_latest_first_page_by_page(
    officer: Door, license: dict[str, Any], time: Clock
) -> None:
    ids = []
    for at in range(5):
        party = "NORDLICHT" if at == 2 else "KE-BCA"
        hits = [HIT] * at
        ids.append(officer.post(PATH, screening(time(), party=party, hits=hits)).json()["id"])
    found = pages(officer, PATH, 2)
    assert [len(page) for page in found] == [2, 2, 1]
    listed = [(one["id"], len(one["hits"])) for page in found for one in page]
    assert listed == [(ids[at], at) for at in (4, 3, 2, 1, 0)]
    of_one = pages(officer, f"{PATH}?party=KE-BCA", 3)
    assert [one["id"] for page in of_one for one in page] == [ids[at] for at in (4, 3, 1, 0)]
    assert officer.get(f"{PATH}?party=X").json() == {"items": [], "next": None}
    problem(officer.get(f"{PATH}?after=nonsense"), 422, "cursor-unreadable")


def test_every_license_the_party_stands_on_is_attended_and_no_other(
    officer: Door,
    reviewer: Door,
    make_license: MakeLicense,
    sessions: Sessions,
    time: Clock,
) -> None:
    twice = {"name": "Border Control Agency", "country": "KE", "reference": "KE-BCA"}
    one = make_license()["number"]
    two = make_license(
        parties=[twice | {"role": "end_user"}, twice | {"role": "ultimate_consignee"}]
    )["number"]
    without = make_license(parties=[])["number"]
    _forget_to_attend(sessions)
    earlier = time()
    with sessions() as session:
        session.execute(
            text("UPDATE licenses SET attend_from = :at WHERE number = :two"),
            {"at": earlier, "two": two},
        )
        session.commit()
    time.forward(minutes=1)
    told = officer.post(PATH, screening(time())).json()
    assert _attended(sessions) == {one: time(), two: earlier, without: None}
    _forget_to_attend(sessions)
    time.forward(minutes=1)
    decide = f"{PATH}/{told['id']}/hits/{told['hits'][0]['id']}/decisions"
    reviewer.post(decide, decision(confirmed=True))
    assert _attended(sessions) == {one: time(), two: time(), without: None}


def test_licenses_are_held_while_they_are_noted_to_be_attended(
    make_license: MakeLicense, sessions: Sessions, owners: Sessions, time: Clock
) -> None:
    """A writer that comes meanwhile waits, and what it notes is kept."""
    number = make_license()["number"]
    _forget_to_attend(sessions)
    earlier = time() - timedelta(hours=1)
    done: list[bool] = []

    def write() -> None:
        with sessions() as session:
            licenses.attend(licenses.locked(session, number, party=None), earlier)
            done.append(True)
            session.commit()

    with sessions() as session:
        licenses.attend_all_of(session, "KE-BCA", time())
        writer = threading.Thread(target=write)
        writer.start()
        once(lambda: _waiting(owners) == 1)
        assert done == []
        session.commit()
    writer.join(timeout=5)
    assert (done, _attended(sessions)) == ([True], {number: earlier})


def _waiting(owners: Sessions) -> int:
    with owners() as session:
        return (
            session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock'"
                )
            )
            or 0
        )
