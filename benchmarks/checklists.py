"""What a checklist costs: of a license with every kind of condition and 400 units, in each format."""

from collections.abc import Callable
from datetime import timedelta

from pydantic import TypeAdapter

from app.audits import printing, xform, xlsform
from app.audits.checklist import parts_of
from app.audits.questions import Checklist, SiteToVisit, UnitToSight, sealed
from benchmarks import one_license
from benchmarks.one_license import BEGUN, GRANTED, NUMBER, SITES
from benchmarks.table import Figure, spent

UNITS = 400
TEXT = (
    "The licensee shall ensure that the items are used as stated in the application and that the "
    "competent authority is given the means to verify this at any time on the premises."
)
_json: TypeAdapter[Checklist] = TypeAdapter(Checklist)

FORMATS: dict[str, Callable[[Checklist], bytes]] = {
    "JSON": _json.dump_json,
    "XLSForm": xlsform.workbook,
    "XForm": xform.made_of,
    "PDF": printing.paper,
}


def checklist(units: int = UNITS) -> Checklist:
    """Make the checklist of the one license, with so many units at its three airports."""
    docket = one_license.docket()
    texts = {
        ruling.condition_id: f"{ruling.monitor.title}. {TEXT}"
        for (ruling,) in docket.rulings.values()
        if ruling.condition_id is not None
    }
    sites = [
        SiteToVisit(reference, f"Airport {reference}", country)
        for reference, (_, _, country) in SITES.items()
    ]
    return sealed(
        Checklist(
            license=NUMBER,
            exporter=docket.exporter,
            state=docket.state,
            revision=1,
            as_of=BEGUN + timedelta(days=1),
            sites=tuple(sites),
            parts=parts_of(docket, texts, sites, now=BEGUN + timedelta(days=1)),
            units=tuple(
                UnitToSight(
                    one_license.serial(number),
                    1,
                    one_license.home(number),
                    GRANTED.date(),
                    "KE-BCA",
                )
                for number in range(1, units + 1)
            ),
        )
    )


def checklists(_url: str, scale: float) -> list[Figure]:
    """Make the checklist from its license and write it, each format by itself."""
    units = UNITS if scale > 0.5 else 40
    parts = len(checklist(1).parts)
    figures = []
    for name, write in FORMATS.items():
        write(checklist(1))  # fonts and grammars are loaded once a process
        seconds = spent(lambda write=write: write(checklist(units)))  # type: ignore[misc]
        size = len(write(checklist(units)))
        figures.append(
            Figure(
                f"checklist of {parts} conditions and {units} units as {name}",
                f"{seconds:.2f} s, {size / 1e3:,.0f} kB",
                "none",
                "≤ 1 s",
                seconds <= 1 and parts >= 37,
            )
        )
    return figures
