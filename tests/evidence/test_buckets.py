"""Against a real server that speaks S3, on loopback."""

from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest
from fastapi import FastAPI
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from app.clock import now
from app.database import Sessions
from app.evidence import looking
from app.evidence.room import Room, room_of
from app.evidence.sealing import CHUNK
from app.settings import Settings
from tests.conftest import Door
from tests.doors.filings import problem, rows
from tests.evidence import good
from tests.evidence.handing_in import accepted, digest_of, put

ACCESS = {"aws_access_key_id": "access", "aws_secret_access_key": "secret"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **ACCESS).create_bucket(
        Bucket="evidence"
    )
    yield url
    server.stop()


@pytest.fixture
def room(server: str, app: FastAPI, settings: Settings) -> Room:
    """The application's room, with its shelf in the bucket."""
    app.state.room = room_of(_in_bucket(settings, server))
    room: Room = app.state.room
    for name, _ in list(room.shelf.names()):
        room.shelf.remove(name)
    return room


def _in_bucket(settings: Settings, url: str, bucket: str = "evidence") -> Settings:
    return settings.model_copy(
        update={
            "evidence_bucket": bucket,
            "evidence_endpoint_url": url,
            "evidence_region": "us-east-1",
            "evidence_access_key": ACCESS["aws_access_key_id"],
            "evidence_secret_key": SecretStr(ACCESS["aws_secret_access_key"]),
        }
    )


def test_a_file_in_a_bucket_is_stored_once_and_read_whole_and_in_part(
    room: Room, exporter: Door, settings: Settings
) -> None:
    content = good.table(rows=12_000)
    digest = accepted(exporter, content)
    accepted(exporter, content)
    assert len(list(room.shelf.names())) == 1
    assert exporter.get(f"/v1/evidence/{digest}").content == content
    part = exporter.get(
        f"/v1/evidence/{digest}", headers={"Range": f"bytes={CHUNK + 5}-{2 * CHUNK + 5}"}
    )
    assert part.content == content[CHUNK + 5 : 2 * CHUNK + 6]
    assert not (settings.data_dir / "evidence" / "files").exists()


def test_the_bucket_never_sees_a_file_in_plain(room: Room, exporter: Door, server: str) -> None:
    accepted(exporter, good.table(rows=4_000))
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1", **ACCESS)
    ((name, _),) = room.shelf.names()
    stored = client.get_object(Bucket="evidence", Key=f"evidence/{name}")["Body"].read()
    assert b"NBO-T1" not in stored
    assert len(stored) > 60_000


def test_what_is_rejected_or_known_to_no_row_does_not_stay_in_the_bucket(
    room: Room, exporter: Door, sessions: Sessions
) -> None:
    put(exporter, b"MZ no document")
    assert list(room.shelf.names()) == []
    digest = accepted(exporter)
    with room.arrive() as arrival:
        arrival.write(b"left")
        arrival.finish()
        room.shelf.put(arrival.name, arrival.path)
    assert looking.tidy(sessions, room, now=now() + timedelta(hours=25)) == 1
    assert exporter.get(f"/v1/evidence/{digest}").content == good.pdf()


def test_a_file_gone_from_the_bucket_is_told_of(room: Room, exporter: Door) -> None:
    digest = accepted(exporter)
    ((name, _),) = room.shelf.names()
    room.shelf.remove(name)
    room.shelf.remove(name)
    problem(exporter.get(f"/v1/evidence/{digest}"), 503, "evidence-damaged")


@pytest.mark.parametrize("away", ["no server", "no bucket"])
def test_while_the_bucket_is_away_nothing_is_acknowledged(
    away: str, server: str, app: FastAPI, exporter: Door, sessions: Sessions, settings: Settings
) -> None:
    elsewhere = (
        _in_bucket(settings, "http://127.0.0.1:9")
        if away == "no server"
        else _in_bucket(settings, server, bucket="nowhere")
    )
    app.state.room = room_of(elsewhere)
    problem(put(exporter), 503, "evidence-out-of-reach")
    assert rows(sessions, "evidence", "journal_pending") == {"evidence": 0, "journal_pending": 0}
    app.state.room = room_of(settings)
    assert accepted(exporter) == digest_of(good.pdf())
