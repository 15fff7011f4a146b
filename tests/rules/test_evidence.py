from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.evidence import rules
from app.evidence.rules import Place, QuotaUsed, RangeUnfit, Span

AT = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
NAIROBI = Place("NBO-T1", -1.319, 36.928)
NEAR = {"lat": -1.33, "lon": 36.93}
MOMBASA = {"lat": -4.03, "lon": 39.59}


@pytest.mark.parametrize(
    ("camera", "places", "notes"),
    [
        (None, [NAIROBI], []),
        ({}, [NAIROBI], []),
        (NEAR, [NAIROBI], []),
        (MOMBASA, [NAIROBI], ["taken 422.2 km from NBO-T1; within 5 km is near"]),
        (MOMBASA, [NAIROBI, Place("MBA", -4.02, 39.6)], []),
        (MOMBASA, [], []),
        ({"taken_at": "2026-05-05T06:59:00+00:00"}, [], []),
        (
            {"taken_at": "2026-05-05T10:01:00+03:00"},
            [],
            ["taken 1.0 days after observed_at, 2026-05-05"],
        ),
        (
            {"taken_at": "2026-05-02T08:00:00+00:00"},
            [],
            ["taken 2.0 days before observed_at, 2026-05-02"],
        ),
        ({"taken_at": "2026-05-05T20:00:00"}, [], []),
        ({"taken_at": "2026-05-05T22:00:00"}, [], ["taken 1.6 days after observed_at, 2026-05-05"]),
    ],
)
def test_a_photo_is_compared_with_where_and_when_its_report_speaks_of(
    camera: dict[str, Any] | None, places: list[Place], notes: list[str]
) -> None:
    assert rules.differs(camera, [AT], places) == notes


def test_any_moment_of_a_report_will_do() -> None:
    camera = {"taken_at": "2026-05-04T07:00:00+00:00"}
    assert rules.differs(camera, [AT - timedelta(days=30), AT], []) == []


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (None, None),
        ("", None),
        ("attachment", None),
        ('attachment; filename="proof.pdf"', "proof.pdf"),
        ("attachment; filename*=UTF-8''%C3%9Cbergabe.pdf", "Übergabe.pdf"),
        ("attachment; filename*=no-such''gate.pdf", "gate.pdf"),
        ("attachment; filename*=no\0such''gate.pdf", None),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="c:\\\\x\\\\y.pdf"', "y.pdf"),
        ('attachment; filename="..."', None),
        (f'attachment; filename="{"a" * 300}.pdf"', f"{'a' * 140}.pdf"),
        (f'attachment; filename="{"a" * 300}"', "a" * 150),
        ("attachment; filename*=UTF-8''a%00b%E2%80%AE.pdf", "ab.pdf"),
    ],
)
def test_a_file_is_called_as_its_sender_calls_it_without_what_could_do_harm(
    disposition: str | None, name: str | None
) -> None:
    assert rules.name_of(disposition) == name


@pytest.mark.parametrize(
    ("media_type", "name", "saved"),
    [
        ("image/jpeg", "gate.JPG", "gate.JPG"),
        ("image/jpeg", "gate.jpeg", "gate.jpeg"),
        ("application/pdf", "gate.exe", "gate.exe.pdf"),
        ("application/pdf", "pdf", "pdf.pdf"),
        ("text/csv", None, f"{'9f' * 8}.csv"),
    ],
)
def test_a_download_ends_as_what_it_was_proven_to_be(
    media_type: str, name: str | None, saved: str
) -> None:
    assert rules.name_for(media_type, name, f"sha256:{'9f' * 32}") == saved


@pytest.mark.parametrize(
    ("header", "span", "of_ten"),
    [
        (None, None, (0, 10)),
        ("bytes=-", None, (0, 10)),
        ("bytes=5-2", None, (0, 10)),
        ("lines=1-2", None, (0, 10)),
        ("bytes=0-0", (0, 0), (0, 1)),
        ("bytes=2-4", (2, 4), (2, 5)),
        ("bytes=2-", (2, None), (2, 10)),
        ("bytes=2-99", (2, 99), (2, 10)),
        ("bytes=-3", (None, 3), (7, 10)),
        ("bytes=-99", (None, 99), (0, 10)),
    ],
)
def test_a_range_says_which_bytes_are_asked_for(
    header: str | None, span: Span | None, of_ten: tuple[int, int]
) -> None:
    assert rules.span_named(header) == span
    assert rules.bytes_of(span, 10) == of_ten


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_bytes_a_file_does_not_have_cannot_be_asked_for(header: str) -> None:
    with pytest.raises(RangeUnfit):
        rules.bytes_of(rules.span_named(header), 10)


def test_a_quota_may_be_used_up_and_no_more() -> None:
    rules.within_quota(60, 40, 100)
    with pytest.raises(QuotaUsed):
        rules.within_quota(60, 41, 100)
