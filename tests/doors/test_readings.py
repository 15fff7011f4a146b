import gzip
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.access.rules import Role
from app.database import Sessions
from app.main import create_app
from tests.conftest import Clock, Door, MakeLicense, OpenDoor, settings_for
from tests.doors.filings import ndjson, problem, reading, readings, rows, send
from tests.world import condition, license_body

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(CAP, serials=("FR-1",))["number"])


@pytest.fixture
def narrow(database_url: str, exporter: Door, time: Clock) -> Iterator[Door]:
    """The exporter at a service that takes ten lines and 4 KB at once."""
    settings = settings_for(database_url, readings_limit_lines=10, readings_limit_bytes=4096)
    with TestClient(create_app(settings, time), raise_server_exceptions=False) as client:
        yield Door(client, exporter.token, exporter.actor)


def test_readings_come_as_lines_or_array_plain_or_compressed(
    number: str, exporter: Door, time: Clock, sessions: Sessions
) -> None:
    batches = [readings(number, time() - timedelta(hours=at), 3) for at in range(5)]
    array, lines = json.dumps(batches[0]).encode(), ndjson([*batches[1], "", " "])
    answers = [
        send(exporter, array, content_type="application/json; charset=utf-8"),
        send(exporter, lines),
        send(exporter, gzip.compress(ndjson(batches[2])), content_encoding="gzip"),
        send(exporter, zstd.compress(ndjson(batches[3])), content_encoding="zstd"),
        send(exporter, ndjson(batches[4]).replace(b"\n", b"\r\n"), content_encoding="identity"),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (3, [])
    assert rows(sessions, "readings", "reading_batches") == {"readings": 15, "reading_batches": 5}


def test_several_compressed_members_are_one_body(number: str, exporter: Door, time: Clock) -> None:
    one, two = (ndjson([line, ""]) for line in readings(number, time(), 2))
    gzipped = gzip.compress(one) + gzip.compress(two)
    assert send(exporter, gzipped, content_encoding="gzip").json()["accepted"] == 2
    again = zstd.compress(one) + zstd.compress(two)
    assert send(exporter, again, content_encoding="zstd").json()["duplicates"] == 2


def test_every_line_that_is_not_taken_is_told_by_its_number(
    number: str, exporter: Door, officer: Door, time: Clock, sessions: Sessions
) -> None:
    foreign = license_body(exporter={"reference": "OTHER", "name": "Other", "country": "DE"})
    officer.post("/v1/licenses", foreign)
    at = time() - timedelta(hours=1)
    facts = {"facts": {"face_template": "QUJD"}}
    lines = [
        reading(number, at),
        "not json",
        "",
        '{"license": "half',
        reading(number, at, "FR-2"),
        reading("BX-0000", at),
        reading(foreign["number"], at),
        reading(number, time() + timedelta(minutes=11)),
        reading(number, at.replace(year=2025)),
        reading(number, at) | facts,
        reading(number, at, facts={"gallery_size": "4210"}),
        reading(number, at, facts={"operators": 1}),
        reading(number, at, colour="red"),
        reading(number, at) | {"observed_at": "0001-01-01T00:00:00+14:00"},
        reading(number, at) | {"observed_at": "2026-03-03T12:00:00"},
        "[1]",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        reading(number, at + timedelta(minutes=1)),
    ]
    answer = send(exporter, ndjson(lines))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["accepted"], told["duplicates"]) == (2, 0)
    assert [(one["line"], one["type"], one["pointer"]) for one in told["rejected"]] == [
        (2, "not-json", None),
        (4, "not-json", None),
        (5, "unit-unknown", "/serial"),
        (6, "license-unknown", "/license"),
        (7, "license-unknown", "/license"),
        (8, "in-future", "/observed_at"),
        (9, "before-license", "/observed_at"),
        (10, "fact-refused", "/facts/face_template"),
        (11, "invalid", "/facts/gallery_size"),
        (12, "fact-refused", "/facts/operators"),
        (13, "fact-refused", "/colour"),
        (14, "invalid", "/observed_at"),
        (15, "invalid", "/observed_at"),
        (16, "invalid", None),
        (17, "not-json", None),
    ]
    assert "QUJD" not in answer.text
    unknown, hidden = (
        one["detail"] for one in told["rejected"] if one["type"] == "license-unknown"
    )
    assert unknown.replace("BX-0000", "") == hidden.replace(foreign["number"], "")
    assert rows(sessions, "readings") == {"readings": 2}


def test_a_reading_is_known_by_its_unit_and_time_or_by_its_id(
    number: str, exporter: Door, time: Clock, sessions: Sessions
) -> None:
    at, later = time() - timedelta(hours=2), time() - timedelta(hours=1)
    first = reading(number, at, id="R-1")
    answer = send(exporter, ndjson([first, first])).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    again = send(
        exporter,
        ndjson(
            [
                reading(number, at),
                reading(number, at, facts={"gallery_size": 1}),
                reading(number, later, id="R-1"),
                reading(number, later, id="R-2"),
                reading(number, later + timedelta(minutes=1), id="R-2"),
            ]
        ),
    ).json()
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert [(one["line"], one["type"], one["pointer"]) for one in again["rejected"]] == [
        (2, "reading-contradicts", "/observed_at"),
        (3, "reading-contradicts", "/id"),
        (5, "reading-contradicts", "/id"),
    ]
    assert rows(sessions, "readings") == {"readings": 2}


def test_a_batch_of_which_nothing_can_be_read_is_refused(
    number: str, exporter: Door, sessions: Sessions
) -> None:
    before = rows(sessions)
    for body in (b"", b"\n\n", b"nonsense\n{}", b"\x00\xff"):
        problem(send(exporter, body), 422, "nothing-readable")
    told = problem(send(exporter, b"nonsense\n{}"), 422)
    assert [one["line"] for one in told["errors"]] == [1, 2]
    for body in (b'{"a": 1}', b"17", b"[", b"nonsense"):
        problem(send(exporter, body, content_type="application/json"), 422, "not-a-list")
    problem(send(exporter, b"[" * 100_000), 422, "not-a-list")
    assert rows(sessions) == before


def test_so_many_lines_are_taken_and_not_one_more(
    number: str, narrow: Door, time: Clock, sessions: Sessions
) -> None:
    at = time() - timedelta(hours=1)
    eleven = [reading(number, at + timedelta(seconds=second)) for second in range(11)]
    for body, media_type in (
        (ndjson(eleven), "application/x-ndjson"),
        (json.dumps(eleven).encode(), "application/json"),
    ):
        problem(send(narrow, body, content_type=media_type), 413, "too-many-lines")
    assert rows(sessions, "readings") == {"readings": 0}
    assert send(narrow, ndjson([*eleven[:10], "", ""])).json()["accepted"] == 10


def test_fifty_thousand_and_one_lines_are_refused_whole(
    number: str, exporter: Door, time: Clock, sessions: Sessions
) -> None:
    line = ndjson([reading(number, time())]) + b"\n"
    body = gzip.compress(line * 50_001, 1)
    told = problem(send(exporter, body, content_encoding="gzip"), 413, "too-many-lines")
    assert "50,000" in told["detail"]
    assert rows(sessions, "readings", "reading_batches") == {"readings": 0, "reading_batches": 0}


def test_a_body_unfolds_no_further_than_the_limit(
    number: str, narrow: Door, sessions: Sessions
) -> None:
    bomb = b" " * 4097
    for body, encoding in (
        (gzip.compress(bomb), "gzip"),
        (zstd.compress(bomb), "zstd"),
        (gzip.compress(bomb[:4096]) + gzip.compress(b" "), "gzip"),
    ):
        assert len(body) < 100
        problem(send(narrow, body, content_encoding=encoding), 413, "body-too-large")
    whole = gzip.compress(b" " * 4096)
    problem(send(narrow, whole, content_encoding="gzip"), 422, "nothing-readable")
    assert rows(sessions, "readings") == {"readings": 0}


def test_a_bomb_is_not_unfolded_first(number: str, exporter: Door) -> None:
    quarter = b"\x00" * 2**26
    for body, encoding in (
        (gzip.compress(quarter, 1) * 4, "gzip"),
        (zstd.compress(quarter, 1) * 4, "zstd"),
    ):
        problem(send(exporter, body, content_encoding=encoding), 413, "body-too-large")


def test_a_damaged_body_is_refused(number: str, exporter: Door, time: Clock) -> None:
    plain = ndjson(readings(number, time(), 20))
    gzipped, zipped = gzip.compress(plain), zstd.compress(plain)
    for body, encoding in (
        (gzipped[:-1], "gzip"),
        (gzipped[: len(gzipped) // 2], "gzip"),
        (gzipped + b"more", "gzip"),
        (plain, "gzip"),
        (zipped[:-1], "zstd"),
        (plain, "zstd"),
        (gzip.compress(b"") * 1_001, "gzip"),
    ):
        problem(send(exporter, body, content_encoding=encoding), 400, "encoding-broken")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
def test_an_encoding_nobody_knows_is_refused(encoding: str, number: str, exporter: Door) -> None:
    problem(send(exporter, b"x", content_encoding=encoding), 415, "encoding-unknown")


def test_the_same_batch_under_its_key_gets_the_same_bytes(
    number: str, exporter: Door, time: Clock, sessions: Sessions
) -> None:
    body = ndjson([*readings(number, time(), 2), "nonsense"])
    first = send(exporter, body, idempotency_key="B-1")
    time.forward(hours=1)
    again = send(exporter, body, idempotency_key="B-1")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    told = problem(send(exporter, body + b"\n{}", idempotency_key="B-1"), 409)
    assert told["type"] == "urn:endwatch:problem:key-used-for-other"
    assert rows(sessions, "reading_batches") == {"reading_batches": 1}
    without = send(exporter, body).json()
    assert (without["accepted"], without["duplicates"]) == (0, 2)


def test_readings_an_inspector_brings_count_too(
    number: str, door: OpenDoor, time: Clock, sessions: Sessions
) -> None:
    answer: Any = send(door(Role.INSPECTOR), ndjson(readings(number, time(), 1)))
    assert answer.json()["accepted"] == 1
