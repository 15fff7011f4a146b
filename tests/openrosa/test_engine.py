"""An XForms engine that is not ours takes our forms, and we take what it makes of them.

The engine is that of ODK Web Forms (`@getodk/xforms-engine`). It asks, offers and refuses what the
form says, so an answer given here is one that a person could give on a phone.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from pyxform.validators import odk_validate  # type: ignore[import-untyped]

from app.access.rules import Role
from app.audits import openrosa, xform
from app.audits.answers import pictures_of, report_of
from benchmarks.checklists import checklist
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.phones import JPEG, PNG, Phone
from tests.evidence import good
from tests.world import condition

HERE = Path(__file__).parent
NODE, NPM = shutil.which("node"), shutil.which("npm")
needs_node = pytest.mark.skipif(
    NODE is None or NPM is None, reason="node and npm are not on this machine"
)
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="java is not on this machine")

Answers = list[tuple[str, Any]]
Post = dict[str, bytes]
Engine = Callable[..., list[Post]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run with the engine in it, exactly as the lock file has it."""
    folder = tmp_path_factory.mktemp("engine")
    for name in ("package.json", "package-lock.json", "phone.mjs"):
        shutil.copy(HERE / name, folder)
    command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def collect(installed: Path, tmp_path: Path) -> Engine:
    """Fills in a form; answers the posts it would send, each with its parts by name."""

    def run(form: bytes, answers: Answers, *, most_bytes: int = openrosa.POST_LIMIT) -> list[Post]:
        (tmp_path / "form.xml").write_bytes(form)
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        sent = tmp_path / "sent"
        sent.mkdir(exist_ok=True)
        command = [str(NODE), "phone.mjs", tmp_path / "form.xml", tmp_path / "answers.json", sent]
        done = subprocess.run(
            [*map(str, command), str(most_bytes)],
            cwd=installed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        posts = json.loads((sent / "posts.json").read_text())
        return [{part["name"]: Path(part["file"]).read_bytes() for part in post} for post in posts]

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str, bytes], dict[str, str]]:
    def take(name: str, content: bytes) -> dict[str, str]:
        (tmp_path / name).write_bytes(content)
        return {"file": str(tmp_path / name), "name": name, "type": "image/jpeg"}

    return take


@pytest.fixture
def ada(door: OpenDoor) -> Phone:
    return Phone(door(Role.INSPECTOR))


@pytest.fixture
def number(ada: Phone, officer: Door, make_license: MakeLicense, time: Clock) -> str:
    """A license with a check that is offered to Ada."""
    license = make_license(
        condition("audit_right", notice_hours=0),
        condition("change_notification", subjects=["use", "site"], days_before=30),
        condition("gallery_cap", max_enrolled=5000),
        condition("heartbeat", every_hours=72),
        condition("match_mode", allowed=["verify_1_1"]),
        serials=("FR-1", "FR-2"),
    )
    day = time().date() + timedelta(days=1)
    check = {"license": license["number"], "mode": "physical", "planned_for": day.isoformat()}
    planned = officer.post("/v1/audits", check)
    assert planned.status_code == 201, planned.text
    offered = officer.post(
        f"/v1/audits/{planned.json()['id']}/assignment", {"to": ada.door.actor.key}
    )
    assert offered.status_code == 201, offered.text
    return str(license["number"])


ANSWERS: Answers = [
    ("/data/visit/mode", ["physical"]),
    ("/data/site_1/access_granted", ["yes"]),
    ("/data/site_1/changes_any", ["yes"]),
    ("/data/site_1/site_1_changes[1]/subject", ["use"]),
    ("/data/site_1/site_1_changes[1]/effective_on", "2026-08-01"),
    ("/data/site_1/units_looked_for", ["all"]),
    ("/data/unit[1]/scanned", "FR-1"),
    ("/data/unit[1]/sighted", ["yes"]),
    ("/data/unit[1]/site", ["NBO-T1"]),
    ("/data/unit[1]/gallery_size", "5210"),
    ("/data/unit[1]/match_modes", ["verify_1_1", "identify_1_n"]),
    ("/data/unit[2]/chosen", ["FR-2"]),
    ("/data/unit[2]/sighted", ["no"]),
    ("/data/license/seen_heartbeat", ["yes"]),
]


@needs_node
def test_a_form_filled_in_by_the_engine_is_taken_judged_and_reports_its_check(
    collect: Engine, picture: Any, number: str, ada: Phone, officer: Door, time: Clock
) -> None:
    pictures = [
        ("/data/evidence[1]/picture", picture("plate.jpg", JPEG)),
        ("/data/evidence[2]/picture", picture("seal.jpg", PNG)),
    ]
    (post,) = collect(ada.form(number), [*ANSWERS, *pictures])
    xml = post.pop("xml_submission_file")
    time.forward(minutes=5)
    told = ada.files(xml, post)
    assert ada.files(xml, post) == told

    (audit,) = officer.get("/v1/audits").json()["items"]
    assert audit["state"] == "reported"
    (sent,) = officer.get(f"/v1/audits/{audit['id']}/submissions").json()["items"]
    assert (len(sent["attachments"]), sent["missing"]) == (2, [])
    assert [one["seen"] for one in sent["observations"]] == ["yes"]
    report = officer.get(f"/v1/reports/{sent['report']}").json()
    assert (report["kind"], report["grade"]) == ("inspection", "A")
    kinds = {one["kind"] for one in officer.get("/v1/deviations").json()["items"]}
    assert {"gallery_cap", "match_mode"} <= kinds


@needs_node
def test_what_the_engine_sends_in_several_posts_is_joined(
    collect: Engine, picture: Any, number: str, ada: Phone, officer: Door, time: Clock
) -> None:
    large = [(f"{name}.jpg", good.picture(comment=bytes(40_000))) for name in ("a", "b", "c")]
    pictures = [
        (f"/data/evidence[{place}]/picture", picture(*one)) for place, one in enumerate(large, 1)
    ]
    posts = collect(ada.form(number), [*ANSWERS, *pictures], most_bytes=50_000)
    assert len(posts) > 1
    time.forward(minutes=5)
    assert len({ada.files(post.pop("xml_submission_file"), post) for post in posts}) == 1
    (audit,) = officer.get("/v1/audits").json()["items"]
    (sent,) = officer.get(f"/v1/audits/{audit['id']}/submissions").json()["items"]
    assert (len(sent["attachments"]), sent["missing"]) == (3, [])


@needs_node
def test_the_engine_holds_people_to_what_the_form_asks(
    collect: Engine, number: str, ada: Phone
) -> None:
    form = ada.form(number)
    least = [*ANSWERS[:2], ("/data/site_1/units_looked_for", ["some"])]
    for reference, answer, why in (
        ("/data/unit[1]/gallery_size", "-1", "Out of range"),
        ("/data/unit[1]/scanned", "no serial number", "no serial number"),
        ("/data/unit[1]/chosen", ["FR-9"], "not offered"),
        ("/data/site_1/site_1_changes[1]/subject", ["use"], "not asked now"),
    ):
        with pytest.raises(AssertionError) as refused:
            collect(form, [*least, (reference, answer)])
        assert reference in str(refused.value)
        assert why in str(refused.value)


@needs_node
def test_the_engine_takes_a_form_with_every_kind_of_condition(
    collect: Engine, picture: Any, time: Clock
) -> None:
    asked = checklist(400)
    answers: Answers = [
        ("/data/visit/mode", ["physical"]),
        *((f"/data/site_{site}/units_looked_for", ["some"]) for site in (1, 2, 3)),
        ("/data/unit[1]/chosen", [asked.units[-1].serial]),
        ("/data/unit[1]/sighted", ["yes"]),
        ("/data/unit[1]/site", [asked.sites[0].reference]),
        ("/data/unit[1]/possessor", ["_other"]),
        ("/data/unit[1]/possessor_other", "KE-MOI"),
        ("/data/unit[1]/position", {"latitude": -1.319, "longitude": 36.928, "accuracy": 12.5}),
        ("/data/unit[1]/incident_known_at", "2026-07-01T08:00:00+03:00"),
        ("/data/unit[1]/integrations", ["_none"]),
        ("/data/evidence[1]/picture", picture("plate.jpg", JPEG)),
    ]
    (post,) = collect(xform.made_of(asked), answers)
    instance = fromstring(post["xml_submission_file"])
    named = pictures_of(instance)
    assert set(named) == post.keys() - {"xml_submission_file"}
    made = report_of(instance, asked, reference="engine-1", observed_at=time(), captured_at=time())
    (said,) = made.statements
    assert said.subject.serial == asked.units[-1].serial
    facts = dict(said.facts)
    assert (facts["site"], facts["possessor"]) == (asked.sites[0].reference, "KE-MOI")
    assert facts["integrations"] == []
    assert (facts["position"].lat, facts["position"].accuracy_m) == (-1.319, 12.5)
    assert facts["incident_known_at"].hour == 5


@needs_java
def test_odk_validate_has_nothing_to_say_of_the_form_that_is_served(
    number: str, ada: Phone, tmp_path: Path
) -> None:
    """The program of ODK's own, with the engine of ODK Collect in it; pyxform brings it along."""
    file = tmp_path / "form.xml"
    file.write_bytes(ada.form(number))
    assert odk_validate.check_xform(str(file)) == []
