"""The third wall by itself: what PostgreSQL shows and refuses, whatever the service asks of it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from app import walls
from app.cli.postgres import Postgres
from app.database import NotYours, Sessions, connect, sessions_of, trouble_of
from app.models import Base
from app.walls import DOOR, Asker, Part
from tests.walls.estate import Estate, standing

OPEN = {
    "journal_head",  # how far the journal has come
    "journal_tiles",
    "journal_keys",
    "journal_checkpoints",
    "journal_cosignatures",  # the log is published
}
MINE = Asker("exporter", "NORDLICHT", "party:NORDLICHT", "exporter:a")
NOBODYS = Asker("exporter", "NOBODY", "party:NOBODY", "exporter:nobody")


@pytest.fixture(scope="module")
def estate(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Two exporters with everything that can belong to one; nothing here changes them."""
    with standing(postgres, tmp_path_factory.mktemp("walls")) as estate:
        yield estate


@pytest.fixture(scope="module")
def api(estate: Estate) -> Iterator[Sessions]:
    """The database as the API has it."""
    engine = connect(estate.settings, Part.API)
    yield sessions_of(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def owners(estate: Estate) -> Sessions:
    return estate.owners


def _tables() -> list[str]:
    return sorted(table for table in Base.metadata.tables if table not in OPEN)


def _count(session: Session, table: str) -> int:
    return session.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def test_every_table_is_walled_or_published(owner: Engine) -> None:
    with owner.connect() as connection:
        walled = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        ).all()
    assert set(walled) == set(_tables())
    assert len(walled) > 50


def test_the_parts_of_the_service_own_nothing_and_go_past_nothing(owner: Engine) -> None:
    query = text(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
        " (SELECT count(*) FROM pg_class WHERE relowner = r.oid),"
        " (SELECT count(*) FROM pg_auth_members WHERE member = r.oid)"
        " FROM pg_roles r WHERE rolname LIKE 'endwatch%' ORDER BY 1"
    )
    with owner.connect() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    powerless = (False, False, False, False, 0, 0)
    assert found == [("endwatch_api", *powerless), ("endwatch_jobs", *powerless)]


def test_who_does_not_say_who_asks_sees_nothing_at_all(estate: Estate, api: Sessions) -> None:
    assert estate.mine
    with api() as session:
        assert {table for table in _tables() if _count(session, table)} == set()


def test_each_exporter_sees_its_own_and_the_authority_both(estate: Estate, api: Sessions) -> None:
    seen: dict[str, dict[str, int]] = {}
    askers = {
        "mine": MINE,
        "theirs": Asker("exporter", "SUEDLICHT", "party:SUEDLICHT", "exporter:b"),
        "nobodys": NOBODYS,
        "officer": Asker("licensing_officer", None, "key:c", "licensing_officer:c"),
    }
    for name, asker in askers.items():
        with api(info=walls.of(asker)) as session:
            seen[name] = {table: _count(session, table) for table in _tables()}
    with estate.jobs() as session:
        there = {table: _count(session, table) for table in _tables()}
    owned = {
        table
        for table in _tables()
        if there[table] and "license_id" in Base.metadata.tables[table].columns
    }
    assert len(owned) > 15, owned
    hidden = {"shadow_findings"}
    for table in owned - hidden:
        assert seen["officer"][table] == there[table], table
        assert seen["nobodys"][table] == 0, table
        assert seen["mine"][table] + seen["theirs"][table] <= there[table], table
    assert seen["mine"]["licenses"] == seen["theirs"]["licenses"] == 1
    assert seen["mine"]["reports"] > 0
    assert seen["nobodys"]["parties"] == seen["nobodys"]["journal"] == 0
    assert seen["mine"]["screenings"] == seen["nobodys"]["keys"] == 0


@pytest.mark.parametrize("role", ["administrator", "grievance_officer", "door", "public", ""])
def test_who_does_not_read_filings_sees_none(role: str, estate: Estate, api: Sessions) -> None:
    assert estate.mine
    with api(info=walls.of(Asker(role, None, "key:x", f"{role}:x"))) as session:
        for table in ("licenses", "reports", "readings", "deviations", "alerts", "parties"):
            assert _count(session, table) == 0
    with api(info=walls.of(DOOR)) as session:
        assert _count(session, "keys") > 0


def test_nothing_is_written_into_another_exporters_file(estate: Estate, api: Sessions) -> None:
    for role in ("exporter", "judge"):
        asker = Asker(role, "NORDLICHT", "party:NORDLICHT", "exporter:a")
        with (
            api(info=walls.of(asker)) as session,
            pytest.raises(ProgrammingError, match="row-level") as hit,
        ):
            session.execute(
                text(
                    "INSERT INTO units (license_id, serial, line, shipped_on, shipment_id, created_at)"
                    " VALUES (:license, 'X-1', 1, '2026-05-01', 1, now())"
                ),
                {"license": estate.theirs.license_id},
            )
        assert isinstance(trouble_of(hit.value), NotYours)
        with api(info=walls.of(asker)) as session:
            changed = session.execute(
                text("UPDATE licenses SET revision = revision + 1 WHERE id = :id"),
                {"id": estate.theirs.license_id},
            )
            assert changed.rowcount == 0  # type: ignore[attr-defined]


def test_the_api_deletes_nothing(api: Sessions) -> None:
    for table in Base.metadata.tables:
        if table == "draw_seeds":  # a secret that is thrown away when it is told
            continue
        with api() as session, pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(f"DELETE FROM {table}"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reports SET digest = '\\x00'",
        "DELETE FROM reports",
        "UPDATE readings SET facts = '{}'",
        "DELETE FROM readings",
        "UPDATE shipments SET quantity = 1",
        "UPDATE ledger_entries SET quantity = 0",
        "UPDATE license_states SET state = 'issued'",
        "UPDATE reading_batches SET accepted = 0",
        "UPDATE parties SET name = 'Somebody else'",
        "UPDATE conditions SET terms = '{}'",
        "UPDATE statements SET facts = '{}'",
        "DELETE FROM conditions",
        "DELETE FROM statements",
    ],
)
def test_what_is_recorded_stays_as_it_is_even_for_its_owner(
    change: str, estate: Estate, owners: Sessions
) -> None:
    assert estate.mine
    with owners() as session, pytest.raises(IntegrityError, match="only"):
        session.execute(text(change))


def test_a_statement_can_only_be_superseded_and_a_condition_only_end(
    estate: Estate, owners: Sessions
) -> None:
    assert estate.mine
    with owners() as session:
        for change in (
            "UPDATE statements SET superseded_at = now()",
            "UPDATE conditions SET effective_to = now()",
        ):
            assert session.execute(text(change)).rowcount > 0  # type: ignore[attr-defined]


LONELY = {
    "an amendment approved by a key of the person who proposed it": (
        (
            "INSERT INTO keys (id, digest, role, label, created_at, made_by) VALUES"
            " ('robot', '\\x00', 'licensing_officer', '', now(), 'anna');"
            "INSERT INTO amendments (license_id, ground, conditions, proposed_by, proposed_at,"
            " approved_by, approved_at) SELECT id, 'x', '[]', 'licensing_officer:anna', now(),"
            " 'licensing_officer:robot', now() FROM licenses"
        ),
        "second_person",
    ),
    "an amendment approved by who proposed it": (
        (
            "INSERT INTO amendments (license_id, ground, conditions, proposed_by, proposed_at,"
            " approved_by, approved_at) SELECT id, 'x', '[]', 'licensing_officer:a', now(),"
            " 'licensing_officer:a', now() FROM licenses"
        ),
        "second_person",
    ),
    "an amendment approved by the same person in another role": (
        (
            "INSERT INTO amendments (license_id, ground, conditions, proposed_by, proposed_at,"
            " approved_by, approved_at) SELECT id, 'x', '[]', 'licensing_officer:a', now(),"
            " 'supervisor:a', now() FROM licenses"
        ),
        "second_person",
    ),
    "a condition without an amendment": (
        (
            "INSERT INTO conditions (license_id, key, version, kind, text, terms, source, binds, lines,"
            " severity, effective_from, created_at) SELECT license_id, key, 2, kind, text, terms,"
            " source, binds, lines, severity, effective_from, now() FROM conditions"
        ),
        "second person",
    ),
    "a new condition on a license of long ago": (
        (
            "INSERT INTO conditions (license_id, key, version, kind, text, terms, source, binds, lines,"
            " severity, effective_from, created_at) SELECT license_id, 'other', 1, kind, text, terms,"
            " source, binds, lines, severity, effective_from, now() FROM conditions"
        ),
        "second person",
    ),
    "an obligation waived by one": (
        "UPDATE obligations SET waived_until = now() + interval '1 day' WHERE settled_at IS NULL",
        "two persons",
    ),
}


@pytest.mark.parametrize("what", LONELY)
def test_the_database_asks_for_a_second_person(what: str, estate: Estate, owners: Sessions) -> None:
    assert estate.mine
    statement, told = LONELY[what]
    with owners() as session, pytest.raises(DBAPIError, match=told):
        session.execute(text(statement))


def test_what_no_party_may_know_is_hidden_from_it_by_the_database_too(
    estate: Estate, owners: Sessions
) -> None:
    told: list[tuple[int, int]] = []
    with owners() as session:
        session.execute(text("UPDATE deviations SET exporter = ''"))
        session.execute(text("SET LOCAL ROLE endwatch_api"))
        walls.become(session, MINE)
        told.append((_count(session, "deviations"), _count(session, "occurrences")))
        walls.judge(session)
        told.append((_count(session, "deviations"), _count(session, "occurrences")))
    assert told[0] == (0, 0)
    assert min(told[1]) > 0
    assert estate.mine


def test_what_is_said_for_one_transaction_does_not_stay_with_the_connection(
    estate: Estate, api: Sessions
) -> None:
    query = text("SELECT current_setting('app.role', true)")
    with api(info=walls.of(MINE)) as session:
        walls.judge(session)
        assert session.scalar(query) == "judge"
        session.commit()
        assert session.scalar(query) == "exporter"
    with api() as session:
        assert session.scalar(query) in {None, ""}
    assert estate.mine


def test_a_party_that_changes_standing_is_noted_on_licenses_of_other_exporters(
    estate: Estate, owners: Sessions
) -> None:
    """The one thing that an exporter's filing may touch beyond its own: by a function, no more."""
    with owners() as session:
        session.execute(text("UPDATE licenses SET attend_from = NULL"))
        session.execute(text("SET LOCAL ROLE endwatch_api"))
        walls.become(session, MINE)
        session.execute(text("SELECT attend_all_of('KE-BCA', :now)"), {"now": estate.time()})
        session.execute(text("RESET ROLE"))
        waiting = session.scalars(text("SELECT number FROM licenses WHERE attend_from IS NOT NULL"))
        assert set(waiting) == {estate.mine.number, estate.theirs.number}
