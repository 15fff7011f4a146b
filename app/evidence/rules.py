"""Names of files, how much may be handed in, and where a photo differs from its report. Pure."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

from app.errors import Invalid, Malformed, NotReadable, TooMany, Unknown

DIGEST = r"^sha256:[0-9a-f]{64}$"
NAME_LENGTH = 150
ENDINGS = {
    "application/pdf": ("pdf",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/heic": ("heic", "heif"),
    "text/csv": ("csv",),
    "application/json": ("json",),
    "application/xml": ("xml",),
    "video/mp4": ("mp4", "m4v"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
}
"""Every type that is taken, with the endings its files' names have."""

NEAR_KM = 5.0
"""A photo taken further from where its report speaks of differs from it."""
SAME_TIME = timedelta(days=1)
"""A photo taken longer before or after its report was true differs from it."""
ANY_ZONE = timedelta(hours=14)
"""Cameras that do not write their time zone may be anywhere from UTC-12 to UTC+14."""
EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class EvidenceUnknown(Unknown):
    """There is no such file, or it is not yours to see."""


class QuotaUsed(TooMany):
    """So much evidence was handed in within 24 hours that no more is taken for now."""

    headers = {"Retry-After": "3600"}


class EncodingTaken(NotReadable):
    """Files are taken as they are: send no Content-Encoding."""


class UploadStalled(Malformed):
    """Nothing came for too long, or the file did not end; nothing was stored."""


class RangeUnfit(Invalid):
    """The file has no such bytes."""

    status = 416


Span = tuple[int | None, int | None]
"""First and last byte as a Range header says them; without the first, so many from the end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a report speaks of (WGS 84)."""

    name: str
    lat: float
    lon: float


def within_quota(used: int, size: int, limit: int) -> None:
    """Refuse a file when its owner has handed in too much within 24 hours."""
    if used + size > limit:
        raise QuotaUsed(
            f"{used:,} of {limit:,} bytes were handed in within 24 hours. Send this file later."
        )


def name_of(disposition: str | None) -> str | None:
    """Take the file's name out of a Content-Disposition header (RFC 6266), without its folders."""
    if not disposition:
        return None
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        found = message.get_filename()
    except (ValueError, LookupError):
        return None
    return cleaned(found) if found else None


def cleaned(name: str) -> str | None:
    """Make a name harmless: no folders, nothing unseen, no more than 150 characters."""
    plain = re.split(r"[/\\]", name)[-1]
    shown = "".join(one for one in plain if one.isprintable() and one not in '<>:"|?*').strip(" .")
    if len(shown) > NAME_LENGTH:
        stem, dot, ending = shown.rpartition(".")
        shown = f"{stem[: NAME_LENGTH - 10]}{dot}{ending[:9]}" if stem else shown[:NAME_LENGTH]
    return shown or None


def name_for(media_type: str, name: str | None, digest: str) -> str:
    """Name a file for saving; its ending is that of what it was proven to be."""
    endings = ENDINGS[media_type]
    shown = name or digest.removeprefix("sha256:")[:16]
    if shown.rpartition(".")[2].lower() in endings and "." in shown:
        return shown
    return f"{shown}.{endings[0]}"


def span_named(header: str | None) -> Span | None:
    """Read a Range header (RFC 9110, 14.2); one this does not understand asks for the whole file."""
    match = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", (header or "").strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = (int(one) if one else None for one in match.groups())
    return None if first is not None and last is not None and last < first else (first, last)


def bytes_of(span: Span | None, size: int) -> tuple[int, int]:
    """Say which bytes of a file are asked for: the first, and the one after the last."""
    if span is None:
        return 0, size
    first, last = span
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    if first >= size:
        raise RangeUnfit(f"The file has {size:,} bytes.")
    return first, size if last is None else min(last + 1, size)


def differs(
    camera: dict[str, Any] | None, moments: Sequence[datetime], places: Sequence[Place]
) -> list[str]:
    """Say whether a photo was taken elsewhere or at another time than its report speaks of.

    A photo that tells neither does not differ; nor does its place, when the report names none.
    """
    if camera is None:
        return []
    return [*_time_differs(camera, moments), *_place_differs(camera, places)]


def _time_differs(camera: dict[str, Any], moments: Sequence[datetime]) -> Iterable[str]:
    if camera.get("taken_at") is None:
        return
    taken = datetime.fromisoformat(camera["taken_at"])
    allowed = SAME_TIME
    if taken.tzinfo is None:
        taken, allowed = taken.replace(tzinfo=UTC), SAME_TIME + ANY_ZONE
    observed_at = min(moments, key=lambda moment: abs(taken - moment))
    apart = abs(taken - observed_at)
    if apart > allowed:
        side = "before" if taken < observed_at else "after"
        yield f"taken {apart / timedelta(days=1):.1f} days {side} observed_at, {taken:%Y-%m-%d}"


def _place_differs(camera: dict[str, Any], places: Sequence[Place]) -> Iterable[str]:
    lat, lon = camera.get("lat"), camera.get("lon")
    if lat is None or lon is None or not places:
        return
    far, nearest = min((_km(lat, lon, one), one.name) for one in places)
    if far > NEAR_KM:
        yield f"taken {far:,.1f} km from {nearest}; within {NEAR_KM:g} km is near"


def _km(lat: float, lon: float, place: Place) -> float:
    """Measure along the surface (haversine)."""
    here, there = math.radians(lat), math.radians(place.lat)
    across = math.radians(place.lon - lon)
    half = math.sin((there - here) / 2) ** 2
    half += math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))
