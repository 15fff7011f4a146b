"""Numbers in the verbatim text of a condition and in its terms, made comparable. Pure.

Times become spans of hours, since three months may be 90 days or 92; kilometres become metres;
percent stays percent. Numbers written as words are heard, but never missed: "one" means too much.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import isodate

MOST = 200  # figures of one text that are looked at
DAY = 24
MONTH = (28 * DAY, 31 * DAY)
YEAR = (364 * DAY, 366 * DAY)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as it was written, plain, and where it is one, as a span of hours or a measure."""

    written: str
    value: Decimal
    unit: str = ""
    span: tuple[Decimal, Decimal] | None = None
    surely: bool = True

    def agrees(self, term: "Figure") -> bool:
        """Whether this figure of a text can mean that one of terms; a missing unit is no matter.

        Percent in the text may be a share in the terms: 0.1 % is 0.001.
        """
        if self.span and term.span:
            return self.span[0] <= term.span[1] and term.span[0] <= self.span[1]
        if self.unit == "%" and not term.unit:
            return self.value / 100 == term.value
        apart = self.unit and term.unit and self.unit != term.unit
        return not apart and self.value == term.value


_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_TEENS = "fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: value for value, word in enumerate(f"{_ONES} {_TEENS}".split())}
TENS = {word: 20 + 10 * step for step, word in enumerate(_TENS.split())}
MULTIPLES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
FREQUENCIES: Mapping[str, tuple[int, int]] = {
    "hourly": (1, 1),
    "daily": (DAY, DAY),
    "weekly": (7 * DAY, 7 * DAY),
    "fortnightly": (14 * DAY, 14 * DAY),
    "monthly": MONTH,
    "quarterly": (89 * DAY, 92 * DAY),
    "half-yearly": (181 * DAY, 184 * DAY),
    "semi-annually": (181 * DAY, 184 * DAY),
    "annually": YEAR,
    "yearly": YEAR,
}

_NOT_FIGURES = re.compile(
    r"""
    (?<!\d)\d{4}-\d{2}-\d{2}(?!\d)                           # 2026-03-02
    | (?<!\d)\d{1,2}\.?\s{1,3}(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?
        (?:,?\s{1,3}\d{4})?
    | \b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s{1,3}
        (?:\d{1,2}(?:,\s{0,3}|\s{1,3}))?\d{4}(?!\d)
    | (?<!\d)\d{1,4}\s{1,3}(?:CFR|U\.?\s?S\.?\s?C\.?|Stat\.?)\s{0,3}(?:part\s{1,3}|§+\s{0,3})?
        [\dA-Za-z.()-]*+
    | (?:\b(?:articles?|art\.|sections?|sec\.|paragraphs?|para\.|annex(?:es)?|appendix|schedules?
        |clauses?|chapters?|part|rules?|title|supplement|no\.?|nos\.|nr\.|number|regulation
        |directive|decree|act|items?|lines?|category|eccn|table|figure|step|tier|class|iso|iec|en
        |iso/iec|rfc|nist|fips|sp)|§{1,2})
        \s{0,3}(?:no\.?\s{0,3})?\d[\w./()-]*+(?:(?:\s{0,3},\s{0,3}|\s{1,3}(?:and|or|to)\s{1,3})
        \d[\w.()/-]*+
        (?!\s?(?:%|per|minute|h\b|hour|day|week|month|quarter|year|m\b|km|met|kilo|person|unit)))*+
    | \b[A-Za-z]\w{0,20}(?:-\w{1,20}){0,3}?-\d[\w.-]*+       # AES-256, NBO-1
    | \b[A-Za-z]{1,30}\d[\w.]*+                              # P3M, v2
    | (?<![\d.])\d{1,12}(?:\.\d{1,12})?+(?!\d|h\b|m\b|km\b|days?\b|e-?\d)[A-Za-z_][\w.]*+  # 3A981
    | (?<!\d)\d{1,12}\s?[:/]\s?[\dnN][\d,]*+                 # 1:1, 1:N, 2021/821, 24/7
    | (?:^|(?<=[.;:,]))\s{0,3}\(?\d{1,2}[.)](?=\s)           # 1. and (2) before a sentence
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_UNIT = (
    r"(?:\s{0,3}\)?\s{0,3}-?\s{0,3}(?:(?:calendar|consecutive|full|working|business)\s{1,3})?"
    r"(?P<unit>%|per\s?cent\b|percent\b|minutes?\b|hours?\b|hrs?\b|h\b|days?\b|weeks?\b|months?\b"
    r"|quarters?\b|years?\b|km\b|kilomet(?:re|er)s?\b|m\b|met(?:re|er)s?\b))?"
)
_FIGURE = re.compile(
    r"(?P<number>(?<!\d)\d{1,3}(?:[,'\u2019\u00a0\u202f ]\d{3})++(?:\.\d{1,12})?+(?!\d)"
    r"|(?<!\d)\d++(?:\.\d++)*+(?:e-?\d{1,3}\b)?+(?:,\d{1,2}(?!\d))?+)"
    r"(?:\s{0,3}(?P<times>hundred|thousand|million|billion)\b)?" + _UNIT,
    re.IGNORECASE,
)
_SPELT = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(TENS)})(?:[- ](?P<one>{'|'.join(_ONES.split()[1:10])}))?"
    rf"|(?P<word>{'|'.join(WORDS)}|an?(?=\s+(?:{'|'.join(MULTIPLES)}))))\b"
    rf"(?:[- ](?P<times>{'|'.join(MULTIPLES)})\b)?" + _UNIT,
    re.IGNORECASE,
)
_ODDS = re.compile(
    r"\b1 in (?P<number>\d{1,3}(?:[, ]\d{3})++|\d++)(?:\s{1,3}(?P<times>million|billion)\b)?"
)
_OFTEN = re.compile(rf"\b(?:{'|'.join(FREQUENCIES)})\b", re.IGNORECASE)
_YEAR_THEN = re.compile(
    r"\s{1,3}(?!shall|will|must|with|until|under|from|when|which|that|unless|where|onwards?)[a-z]{4,}"
)
_UNITS: Mapping[str, tuple[Decimal, Decimal]] = {
    "minute": (Decimal(1) / 60, Decimal(1) / 60),
    "h": (Decimal(1), Decimal(1)),
    "day": (Decimal(DAY), Decimal(DAY)),
    "week": (Decimal(7 * DAY), Decimal(7 * DAY)),
    "month": (Decimal(MONTH[0]), Decimal(MONTH[1])),
    "quarter": (Decimal(89 * DAY), Decimal(92 * DAY)),
    "year": (Decimal(YEAR[0]), Decimal(YEAR[1])),
}


def in_text(text: str) -> list[Figure]:
    """List the figures of a text. Dates, years, references to law and codes are none."""
    rest = _NOT_FIGURES.sub(" \u2026 ", text)
    odds = [_odds(match) for match in _ODDS.finditer(rest)]
    rest = _ODDS.sub(" \u2026 ", rest)
    found = [_figure(match, rest) for match in _FIGURE.finditer(rest)]
    found += [_spelt(match) for match in _SPELT.finditer(rest)]
    for match in _OFTEN.finditer(rest):
        low, high = FREQUENCIES[match[0].lower()]
        found.append(Figure(match[0], Decimal(low), "time", (Decimal(low), Decimal(high))))
    figures = dict.fromkeys(odds + [figure for figure in found if figure is not None])
    return list(figures)[:MOST]


def _odds(match: re.Match[str]) -> Figure:
    """Read a share such as 1 in 1,000,000; 1 in 0 is none at all."""
    among = _decimal(match["number"]) * MULTIPLES.get(match["times"] or "", 1)
    return Figure(match[0], 1 / among if among else among)


def _figure(match: re.Match[str], text: str) -> Figure | None:
    written, times = match["number"], (match["times"] or "").lower()
    if written.count(".") > 1:  # a number of a section or a version with three parts
        return None
    value = _decimal(written) * MULTIPLES.get(times, 1)
    bare = re.fullmatch(r"(?:19|20|21)\d\d", written) and not match["unit"] and not times
    if bare and not _YEAR_THEN.match(text, match.end()):
        return Figure(written, value, surely=False)
    return _measured(" ".join(match[0].split()).replace(")", ""), value, match["unit"], surely=True)


def _decimal(written: str) -> Decimal:
    """Read a number with separators of thousands, or with a decimal comma."""
    if re.fullmatch(r"\d+,\d{1,2}", written):
        return Decimal(written.replace(",", "."))
    return Decimal(re.sub(r"[,'\u2019\s]", "", written))


def _spelt(match: re.Match[str]) -> Figure:
    if match["tens"]:
        value = TENS[match["tens"].lower()] + WORDS.get((match["one"] or "zero").lower(), 0)
    else:
        value = WORDS.get(match["word"].lower(), 1)
    value *= MULTIPLES.get((match["times"] or "").lower(), 1)
    return _measured(match[0], Decimal(value), match["unit"], surely=False)


def _measured(written: str, value: Decimal, unit: str | None, *, surely: bool) -> Figure:
    """Give a number the meaning of its unit."""
    name = (unit or "").lower().rstrip("s")
    if name == "%" or name.startswith("per"):
        return Figure(written, value, "%", surely=surely)
    if name in {"m", "metre", "meter"}:
        return Figure(written, value, "m", surely=surely)
    if name in {"km", "kilometre", "kilometer"}:
        return Figure(written, value * 1000, "m", surely=surely)
    span = _UNITS.get("h" if name in {"hour", "hr"} else name)
    if span is None:
        return Figure(written, value, surely=surely)
    return Figure(written, value, "time", (value * span[0], value * span[1]), surely)


_SUFFIXES = {"hours": "hour", "days": "day", "m": "m", "percent": "%"}
_NAMES = frozenset({"reference", "starts"})
COORDINATES = frozenset({"lat", "lon"})
_DURATION = re.compile(r"P(?=\d)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?")


def in_terms(terms: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Figure]]:
    """List the figures of terms, each under the name of its term.

    Coordinates are given without their sign; a text may say them, and need not.
    """
    for key, value in terms.items():
        if key in COORDINATES:
            yield key, Figure(f"{value}", abs(Decimal(str(value))), surely=False)
        elif key not in _NAMES:
            yield from _in_value(key if not name else f"{name}.{key}", value)


def _in_value(name: str, value: Any) -> Iterator[tuple[str, Figure]]:
    last = name.rpartition(".")[2]
    match value:
        case bool() | None | date():
            return
        case int() | float() | Decimal():
            number = Decimal(str(value))
            unit = _SUFFIXES.get(last.rpartition("_")[2]) if "_" in last else None
            yield name, _measured(f"{number.normalize():,f}", number, unit, surely=True)
        case str() if _DURATION.fullmatch(value):
            yield name, _lasting(value)
        case str():
            for part in re.findall(r"(?<![0-9a-f])\d+(?:\.\d+)?(?![0-9a-f])", value):
                yield name, Figure(part, Decimal(part), surely=False)
        case Mapping():
            yield from in_terms(value, name)
        case _:
            for one in value:
                yield from _in_value(name, one)


def _lasting(text: str) -> Figure:
    """Read an ISO 8601 duration as a span of hours."""
    length = isodate.parse_duration(text)
    if isinstance(length, timedelta):
        hours = Decimal(length.days * DAY)
        return Figure(text, hours, "time", (hours, hours))
    months, rest = Decimal(length.years * 12 + length.months), Decimal(length.tdelta.days * DAY)
    years, over = divmod(months, 12)
    spans = [years * low + over * short + rest for low, short in zip(YEAR, MONTH, strict=True)]
    return Figure(text, spans[0], "time", (spans[0], spans[1]))
