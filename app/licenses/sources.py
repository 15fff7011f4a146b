"""Whether anybody could ever report what a condition is judged by. Pure; works offline.

A fact is about a unit, a site or the license. Units become known by the serials of their shipment,
so only goods that are counted have them; sites are those on the license.
"""

from collections.abc import Iterator, Mapping

from app.licenses.advice import Advice, Clause, spoken
from app.licenses.schemas import LineIn
from monitors import Catalogue

UNCOUNTED = frozenset(
    {"kg", "kgm", "g", "grm", "mg", "t", "tne", "lb", "l", "ltr", "ml", "m", "mtr", "km", "m2"}
    | {"mtk", "m3", "mtq", "h", "hour", "hours", "hur", "day", "days", "month", "months", "mon"}
    | {"year", "years", "ann", "gb", "tb", "lump_sum", "ls", "document", "download"}
)
"""Units of lines (also UN/ECE Recommendation 20) of which no piece has a serial number."""

SPEAKERS: Mapping[str, str] = {
    "unit": "the unit itself in readings, the exporter in attestations, an inspector on site",
    "site": "the exporter in attestations, an inspector on site",
    "license": "the exporter in attestations",
}
"""Who can state a fact about such a subject."""


def counted(line: LineIn) -> bool:
    """Whether the goods of a line can have serial numbers."""
    return line.unit.lower() not in UNCOUNTED and line.quantity == int(line.quantity)


def of_condition(clause: Clause, words: Catalogue) -> Iterator[Advice]:
    """Find what no available source can verify."""
    yield from _required(clause, words)
    if clause.license is None:
        return
    there = _subjects(clause)
    facts = {name: set(words.facts[name].scopes) for name in sorted(clause.facts)}
    mute = [name for name, scopes in facts.items() if not scopes & there]
    owed_by_units = _awaits_units(clause) and "unit" not in there
    if owed_by_units or (mute and len(mute) == len(facts)):
        yield _nobody(clause, mute, {scope for name in mute for scope in facts[name]})
    else:
        if mute:
            yield _partly(clause, mute)
        yield from _uncounted(clause, facts)
    yield from _per_site(clause)
    yield from _without_value(clause)


def _subjects(clause: Clause) -> set[str]:
    """Say what there is to state something about."""
    assert clause.license is not None
    there = {"license"}
    if any(map(counted, clause.covered)):
        there.add("unit")
    if clause.license.sites:
        there.add("site")
    return there


def _awaits_units(clause: Clause) -> bool:
    owes = clause.monitor.owes
    return owes is not None and owes(clause.condition.terms).per == "unit"


def _required(clause: Clause, words: Catalogue) -> Iterator[Advice]:
    """Find required facts that nobody could ever state."""
    for index, name in enumerate(clause.term("required_facts") or ()):
        if name not in words.facts:
            yield clause.say(
                "error",
                "fact_unknown",
                f"/terms/required_facts/{index}",
                f"Every report must state {name!r}, which is not a fact of the vocabulary.",
                "Use a name of GET /v1/facts; the license is refused with this one.",
            )


def _nobody(clause: Clause, mute: list[str], scopes: set[str]) -> Advice:
    asked = scopes or {"unit"}
    what = f"reads {spoken([f'`{name}`' for name in mute])}" if mute else "awaits readings of units"
    ways = "; ".join(f"about a {scope}: {SPEAKERS[scope]}" for scope in sorted(asked))
    lacks = spoken([_lack(clause, scope) for scope in sorted(asked)])
    return clause.say(
        "error",
        "nothing_can_verify",
        "/kind",
        f"Nobody can verify the {clause.name}: it {what} ({ways}), and {lacks}.",
        _remedy(asked),
    )


def _lack(clause: Clause, scope: str) -> str:
    if scope == "site":
        return "the license names no site"
    lines = ", ".join(f"{one.line} ({one.quantity} {one.unit})" for one in clause.covered)
    return f"no goods of line {lines} are counted by serial number"


def _remedy(scopes: set[str]) -> str:
    ways = {
        "site": "name the sites on the license",
        "unit": "license the goods in pieces with serial numbers",
    }
    chosen = " or ".join(ways[scope] for scope in sorted(scopes))
    return f"{chosen[0].upper()}{chosen[1:]}, or leave the condition out."


def _partly(clause: Clause, mute: list[str]) -> Advice:
    return clause.say(
        "note",
        "partly_verifiable",
        "/kind",
        f"The {clause.name} is judged without {spoken([f'`{name}`' for name in mute])}: the license "
        "has nothing that could be stated about.",
        "Name the sites on the license, or license goods in pieces, if this part matters.",
    )


def _uncounted(clause: Clause, facts: Mapping[str, set[str]]) -> Iterator[Advice]:
    """Find lines the condition is about and whose goods can state nothing."""
    on_units = _awaits_units(clause) or (facts and all(s == {"unit"} for s in facts.values()))
    silent = [str(line.line) for line in clause.covered if not counted(line)]
    if not on_units or not silent:
        return
    chosen = bool(clause.condition.lines)
    yield clause.say(
        "warning" if chosen else "note",
        "line_without_units",
        "/lines",
        f"The {clause.name} is verified unit by unit, and the goods of line {', '.join(silent)} "
        "have no serial numbers.",
        f"Leave line {', '.join(silent)} out of it, or license those goods in pieces."
        if chosen
        else "Name the lines it is about, if it is not about all.",
    )


def _per_site(clause: Clause) -> Iterator[Advice]:
    assert clause.license is not None
    if clause.term("per") == "site" and not clause.license.sites:
        yield clause.say(
            "warning",
            "sites_missing",
            "/terms/per",
            f"The {clause.name} counts per site, and the license names no site.",
            "Name the sites on the license, or count per unit or per license.",
        )


def _without_value(clause: Clause) -> Iterator[Advice]:
    if not clause.term("value_tolerance_percent"):
        return
    lacking = [str(line.line) for line in clause.covered if line.value is None]
    if lacking:
        yield clause.say(
            "warning",
            "line_without_value",
            "/terms/value_tolerance_percent",
            f"The {clause.name} limits values, and line {', '.join(lacking)} has none.",
            "Give the line its value, or leave the tolerance out.",
        )
