"""Fills in a form as a phone would, from nothing but its XML."""

from copy import deepcopy
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from defusedxml.ElementTree import fromstring

XFORMS = "{http://www.w3.org/2002/xforms}"

Answers = dict[str, Any]


def filled(form: bytes, answers: Answers) -> Element:
    """Answer questions; a repeat takes a list of answers, a group a mapping.

    A name that the form does not have is a mistake of the test.
    """
    (instance,) = fromstring(form).findall(f".//{XFORMS}instance/{XFORMS}data")
    _strip_templates(instance)
    _fill(instance, answers)
    return _plain(instance)


def _strip_templates(within: Element) -> None:
    for child in list(within):
        if any(key.endswith("}template") for key in child.attrib):
            within.remove(child)
        else:
            _strip_templates(child)


def _fill(within: Element, answers: Answers) -> None:
    for name, answer in answers.items():
        (first,) = within.findall(f"{XFORMS}{name}")
        if isinstance(answer, dict):
            _fill(first, answer)
        elif isinstance(answer, list):
            blank = deepcopy(first)
            within.remove(first)
            for one in answer:
                entry = deepcopy(blank)
                _fill(entry, one)
                within.append(entry)
        else:
            assert not list(first), f"{name} is a group"
            first.text = str(answer)


def _plain(element: Element) -> Element:
    """Drop the namespace, as phones send it."""
    plain = Element(element.tag.rpartition("}")[2], dict(element.attrib))
    plain.text = element.text
    for child in element:
        plain.append(_plain(child))
    return plain


def submission(**groups: Any) -> Element:
    """Write a submission by hand; keys of groups are tags, lists are repeats."""
    root = Element("data", {"id": "endwatch_X"})
    _write(root, groups)
    return root


def _write(within: Element, answers: Answers) -> None:
    for name, answer in answers.items():
        for one in answer if isinstance(answer, list) else [answer]:
            child = SubElement(within, name)
            if isinstance(one, dict):
                _write(child, one)
            else:
                child.text = str(one)
