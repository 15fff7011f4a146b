"""When and where a photo says it was taken. Nothing else of its camera data is kept."""

import math
import re
from datetime import datetime
from typing import Any

GPS_IFD, EXIF_IFD = 0x8825, 0x8769
ORIGINAL, OFFSET = 0x9003, 0x9011
LAT_REF, LAT, LON_REF, LON = 1, 2, 3, 4
TIME = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
ZONE = re.compile(r"[+-]\d\d:\d\d")


def of_exif(exif: bytes | None) -> dict[str, Any] | None:
    """Read time and position; what cannot be read is as if it were not there."""
    if not exif:
        return None
    from PIL import Image

    found: dict[str, Any] = {}
    try:
        tags = Image.Exif()
        tags.load(b"Exif\0\0" + exif)
        found |= _when(dict(tags.get_ifd(EXIF_IFD)))
        found |= _where(dict(tags.get_ifd(GPS_IFD)))
    except Exception:  # camera data is a remark: a photo with damaged remarks is still a photo
        return found or None
    return found or None


def _when(tags: dict[int, Any]) -> dict[str, str]:
    text = str(tags.get(ORIGINAL, ""))
    if not TIME.fullmatch(text):
        return {}
    zone = str(tags.get(OFFSET, "")).strip("\0 ")
    day, _, hour = text.partition(" ")
    moment = f"{day.replace(':', '-')}T{hour}{zone if ZONE.fullmatch(zone) else ''}"
    return {"taken_at": datetime.fromisoformat(moment).isoformat()}


def _where(tags: dict[int, Any]) -> dict[str, float]:
    if not {LAT_REF, LAT, LON_REF, LON} <= tags.keys():
        return {}
    lat = _degrees(tags[LAT]) * (-1 if str(tags[LAT_REF]).upper().startswith("S") else 1)
    lon = _degrees(tags[LON]) * (-1 if str(tags[LON_REF]).upper().startswith("W") else 1)
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):
        return {}
    if lat == lon == 0:  # cameras without a fix write zeros
        return {}
    return {"lat": round(lat, 6), "lon": round(lon, 6)}


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600
