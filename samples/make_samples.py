"""Writes the files of this folder. The same files come out every time; nothing is fetched.

Run it in the root of the repository: `.venv/bin/python -m samples.make_samples [FOLDER]`.
"""

import csv
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from random import Random
from typing import Any

import openpyxl

from samples.filings import AMENDMENTS, reports
from samples.grants import GRANTS
from samples.hidden import AGAIN, AT, CHANGES, GROWING, LATE, SILENCES, UPGRADED, on
from samples.world import DAYS, SITES, Grant, Parcel, body

SEED = "endwatch samples, first edition"
UNCHANGING = (2026, 10, 31, 0, 0, 0)
HEADER = [
    "license",
    "reference",
    "line",
    "date",
    "quantity",
    "value.amount",
    "value.currency",
    "serials",
    "consignee",
    "site",
    "mrn",
]


def chance(*names: object) -> Random:
    """Give the dice of one unit, or of one unit on one day; apart from all others."""
    return Random(f"{SEED}/{'/'.join(map(str, names))}")  # noqa: S311 - a world, not a secret


def gallery(serial: str, scale: int, day: date) -> int:
    """Say how many are enrolled: 35 to 60 percent of full, growing by 2.4 percent a month at most."""
    dice, since = chance(serial), (day - DAYS[0]).days
    if serial == GROWING:
        return 1200 + 20 * max(0, (day - on(10, 11)).days)
    start = scale * (0.35 + 0.25 * dice.random())
    return int(start + scale * 0.0008 * dice.random() * since)


def standing_at(serial: str, parcel: Parcel, dice: Random) -> dict[str, Any]:
    """Say where a unit stands: always the same spot, as well as satellites tell."""
    spot = chance(serial, "spot")
    _, _, lat, lon = SITES[parcel.site]
    wander = [0.00002 * (dice.random() - 0.5) for _ in range(2)]
    return {
        "lat": round(lat + 0.003 * (spot.random() - 0.5) + wander[0], 5),
        "lon": round(lon + 0.003 * (spot.random() - 0.5) + wander[1], 5),
        "accuracy_m": 6 + int(12 * dice.random()),
    }


def version(grant: Grant, serial: str, day: date) -> str:
    """Say which software runs."""
    if serial.startswith(UPGRADED) and day >= on(10, 6 + int(serial[-4:]) % 4):
        return "3.2.0"
    return grant.fleet.version


def facts(grant: Grant, serial: str, parcel: Parcel, day: date, dice: Random) -> dict[str, Any]:
    """Say what a unit states on a day: a little every day, its settings on Mondays."""
    fleet, age = grant.fleet, (day - parcel.day).days
    searching = "identify_1_n" in fleet.weekly.get("match_modes", ())
    daily: dict[str, Any] = {
        "gallery_size": gallery(serial, fleet.scale or 0, day),
        "position": standing_at(serial, parcel, dice),
        "country": grant.country,
        "site": parcel.site,
        "identify_calls": int(60 * dice.random()) if searching else 0,
        "search_calls": 0,
        "software_version": version(grant, serial, day),
    }
    stated = {name: daily[name] for name in fleet.daily}
    if day.weekday() == 0:
        stated |= fleet.weekly
        for name in ("oldest_probe_days", "oldest_non_match_hours"):
            if name in stated:
                stated[name] = round(stated[name] - 1.5 * dice.random(), 1)
        if "oldest_template_days" in stated:
            stated["oldest_template_days"] = age - 4.5
        if fleet.log_days:
            stated["oldest_log_days"] = age + 0.5
    for change in CHANGES:
        if change.serial == serial and change.first <= day <= change.last:
            stated |= change.facts
    return {name: value for name, value in stated.items() if value is not None}


def times(grant: Grant, serial: str, day: date, dice: Random) -> Iterable[time]:
    """Say when a unit speaks: about the same time every day, before the gateway delivers."""
    if any(one.serial == serial and one.first <= day <= one.last for one in SILENCES):
        return ()
    if (serial, day) in AT:
        return AT[serial, day]
    first = 30 + int(400 * chance(serial, "clock").random()) + int(30 * dice.random())
    minutes = [first + 690 * turn for turn in range(grant.fleet.a_day)]
    return [time(at // 60, at % 60, int(60 * dice.random())) for at in minutes]


def said_on(grant: Grant, day: date) -> Iterator[dict[str, Any]]:
    """Give the readings of a license on a day."""
    for serial, parcel in grant.units.items():
        dice = chance(serial, day)
        for at in times(grant, serial, day, dice):
            yield {
                "license": grant.number,
                "serial": serial,
                "observed_at": f"{datetime.combine(day, at).isoformat()}Z",
                "facts": facts(grant, serial, parcel, day, dice),
            }


def readings() -> Iterator[dict[str, Any]]:
    """Give all readings in the order in which the gateway got them: what is late comes later."""
    held: dict[date, list[dict[str, Any]]] = {}
    late = {(one.serial, one.observed): one.arrives for one in LATE}
    for day in DAYS:
        for grant in GRANTS:
            for reading in said_on(grant, day):
                arrives = late.get((reading["serial"], day), day)
                if arrives > day:
                    held.setdefault(arrives, []).append(reading)
                    continue
                yield reading
                if (reading["serial"], day) == (AGAIN.serial, AGAIN.observed):
                    held.setdefault(AGAIN.arrives, []).append(reading)
        yield from held.pop(day, [])


def declared(grant: Grant) -> Iterator[list[str]]:
    """Give the rows of a license in the exporter's list of shipments."""
    serials = list(grant.units.items())
    for number, parcel in enumerate(grant.parcels, 1):
        count = parcel.declared or parcel.units
        dice = chance(grant.number, number)
        entry = f"26{grant.number[-3:]}{int(1e9 * dice.random()):09}"
        european = {"NORDLICHT": "DE", "AURELINE": "FR"}.get(grant.exporter)
        yield [
            grant.number,
            f"SH-{grant.number[-5:]}-{number}",
            "1",
            f"{parcel.day}",
            f"{count}",
            f"{count * parcel.price}.00",
            grant.value[1] if grant.value else "EUR",
            ";".join(serial for serial, came in serials if came is parcel),
            grant.end_user[0],
            parcel.site,
            f"26{european}{entry}" if european else "",
        ]


def text(value: Any) -> bytes:
    """Write JSON for people: indented, in UTF-8."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def sheet(rows: Iterable[list[str]]) -> bytes:
    """Write a workbook whose bytes depend on its cells alone, not on the day it was written."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = "Shipments"
    for row in rows:
        page.append(row)
    draft, final = io.BytesIO(), io.BytesIO()
    book.save(draft)
    with zipfile.ZipFile(draft) as written, zipfile.ZipFile(final, "w") as fixed:
        for name in sorted(written.namelist()):
            if name != "docProps/core.xml":
                fixed.writestr(zipfile.ZipInfo(name, UNCHANGING), written.read(name))
                continue
            core = written.read(name).decode()
            start, end = core.index("<dcterms:created"), core.index("</cp:coreProperties>")
            fixed.writestr(zipfile.ZipInfo(name, UNCHANGING), core[:start] + core[end:])
    return final.getvalue()


def table(rows: Iterable[list[str]]) -> bytes:
    """Write a CSV file."""
    page = io.StringIO()
    csv.writer(page, lineterminator="\n").writerows(rows)
    return page.getvalue().encode()


def lines(items: Iterable[dict[str, Any]]) -> bytes:
    """Write one JSON object a line, packed."""
    plain = "".join(json.dumps(item, separators=(",", ":")) + "\n" for item in items)
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(plain.encode())
    return packed.getvalue()


def files() -> Iterator[tuple[str, bytes]]:
    """Give every file of the world with its path."""
    in_book = {grant.number for grant in GRANTS if grant.exporter == "KITAYAMA"}
    rows = [row for grant in GRANTS for row in declared(grant)]
    rows.sort(key=lambda row: row[3])
    yield "licenses.json", text([body(grant) for grant in GRANTS])
    yield "shipments.csv", table([HEADER, *(row for row in rows if row[0] not in in_book)])
    yield "shipments-2.xlsx", sheet([HEADER, *(row for row in rows if row[0] in in_book)])
    yield "readings.ndjson.gz", lines(readings())
    yield "amendments.json", text(AMENDMENTS)
    for folder, report in reports(gallery):
        yield f"{folder}/{report['reference'].lower()}.json", text(report)


def main(folder: Path) -> None:
    """Write every file."""
    for name, content in files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
