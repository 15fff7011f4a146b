"""A phone with a client of OpenRosa on it: it asks for forms, fills them in, and sends them."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import Element, tostring

from defusedxml.ElementTree import fromstring

from tests.audits.forms import Answers, filled
from tests.conftest import Door
from tests.evidence import good

LIST = "{http://openrosa.org/xforms/xformsList}"
ANSWER = "{http://openrosa.org/http/response}"
JPEG = good.picture()
PNG = good.picture("PNG")

SIGHTED: Answers = {
    "visit": {"mode": "physical"},
    "site_1": {"reference": "NBO-T1", "access_granted": "yes", "units_looked_for": "some"},
    "unit": [{"serial": "FR-1", "sighted": "yes", "site": "NBO-T1", "gallery_size": "4210"}],
}
"""What is answered where a test is about something else."""


def basic(token: str, name: str = "ada") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{token}'.encode()).decode()}"}


class Phone:
    """The phone of whoever has a key."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.headers = basic(door.token) | {"X-OpenRosa-Version": "1.0"}

    def get(self, path: str) -> Any:
        return self.door.client.get(path, headers=self.headers)

    def listed(self) -> dict[str, dict[str, str]]:
        """Ask for the list: of each form what it says."""
        answer = self.get("/openrosa/formList")
        assert answer.status_code == 200, answer.text
        forms = [
            {child.tag.removeprefix(LIST): child.text or "" for child in form}
            for form in fromstring(answer.content)
        ]
        return {form["formID"]: form for form in forms}

    def form(self, number: str) -> bytes:
        answer = self.get(self.listed()[f"endwatch_{number}"]["downloadUrl"])
        assert answer.status_code == 200, answer.text
        form: bytes = answer.content
        return form

    def send(self, xml: bytes, files: Mapping[str, bytes] | None = None) -> Any:
        parts = [("xml_submission_file", ("form.xml", xml, "text/xml"))]
        parts += [(name, (name, content, "image/jpeg")) for name, content in (files or {}).items()]
        return self.door.client.post("/openrosa/submission", headers=self.headers, files=parts)

    def files(self, xml: bytes, files: Mapping[str, bytes] | None = None) -> str:
        """Send what must be taken; answers what was told."""
        answer = self.send(xml, files)
        assert answer.status_code == 201, answer.text
        return said(answer)

    def refused(self, status: int, xml: bytes, files: Mapping[str, bytes] | None = None) -> str:
        """Send what must be refused; answers what was told."""
        return refused(self.send(xml, files), status)


def fill(
    form: bytes,
    answers: Answers,
    *,
    begun: datetime | None = None,
    ended: datetime | None = None,
    pictures: Iterable[str] = (),
    id: str | None = None,
) -> bytes:
    """Fill in a form as it was handed out."""
    instance = filled(form, answers | {"evidence": [{"picture": name} for name in pictures]})
    for name, moment in (("start", begun), ("end", ended or begun)):
        (element,) = instance.findall(name)
        element.text = moment.isoformat() if moment else None
    (named,) = instance.findall("meta/instanceID")
    named.text = id or f"uuid:{uuid4()}"
    return written(instance)


def written(instance: Element) -> bytes:
    return bytes(tostring(instance, encoding="utf-8"))


def message(answer: Any) -> Element:
    """The message of an answer, which has the headers of OpenRosa."""
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    assert int(answer.headers["X-OpenRosa-Accept-Content-Length"]) > 50 * 2**20
    assert answer.headers["content-type"].startswith("text/xml"), answer.text
    root = fromstring(answer.content)
    assert root.tag == f"{ANSWER}OpenRosaResponse"
    (found,) = root
    assert found.tag == f"{ANSWER}message"
    assert isinstance(found, Element)
    return found


def said(answer: Any) -> str:
    """What a phone shows of a form that was taken."""
    found = message(answer)
    assert found.get("nature") == "submit_success"
    return found.text or ""


def refused(answer: Any, status: int) -> str:
    """What a phone shows of a refusal."""
    assert answer.status_code == status, answer.text
    found = message(answer)
    assert found.get("nature") == "submit_error"
    assert found.text
    return found.text
