"""Holds a filled form against the form that was handed out: nothing is taken that was not asked. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from app.audits.reading import AnswerRefused, tag

XFORMS = "{http://www.w3.org/2002/xforms}"
META = "meta"
"""What a phone tells of the form itself; OpenRosa lets clients add to it."""


class NotAsked(AnswerRefused):
    """The filled form holds what this version of the form does not ask."""


@dataclass(slots=True)
class _Asked:
    """What a form has in one place, by name, and which of it can be there several times."""

    below: dict[str, "_Asked"] = field(default_factory=dict)
    repeats: bool = False


def check(instance: Element, form: bytes) -> None:
    """Refuse a name that the form does not have, and a second answer where one was asked for."""
    _check(instance, _asked(form), "")


def _asked(form: bytes) -> _Asked:
    root: Element = fromstring(form)
    primary = root.find(f".//{XFORMS}model/{XFORMS}instance")
    assert primary is not None, "a form has an instance"
    (data,) = primary
    repeats = {one.get("nodeset", "") for one in root.iter(f"{XFORMS}repeat")}
    return _place(data, f"/{tag(data)}", repeats)


def _place(element: Element, path: str, repeats: set[str]) -> _Asked:
    found = _Asked(repeats=path in repeats)
    for child in element:
        name = tag(child)
        found.below[name] = _place(child, f"{path}/{name}", repeats)
    return found


def _check(element: Element, asked: _Asked, path: str) -> None:
    seen: Counter[str] = Counter()
    for child in element:
        name = tag(child)
        if name == META and not path:
            continue
        seen[name] += 1
        place, below = f"{path}/{name[:80]}", asked.below.get(name)
        if below is None:
            raise NotAsked(
                "This version of the form does not ask this. Biometric data and data about persons "
                "are never taken. Get the form anew, and fill it in.",
                pointer=place,
            )
        if below.repeats:
            place = f"{place}[{seen[name]}]"
        elif seen[name] > 1:
            raise NotAsked("This is asked once and answered twice. Leave one.", pointer=place)
        _check(child, below, place)
