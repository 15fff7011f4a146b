"""What docs/signatures.md tells an exporter to do works as it stands there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

from app.access.rules import Role
from tests.conftest import Door, MakeLicense, OpenDoor
from tests.doors.filings import problem
from tests.evidence.handing_in import accepted
from tests.signatures.signers import PEM, Authority, letter, made, pem, sealed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/signatures.md"
PYTHON = ".venv/bin/python -m app.cli "


class Exporter:
    """Somebody who types what the page says, in an empty folder."""

    def __init__(self, folder: Path, door: Door) -> None:
        self.folder = folder
        self.door = door
        self.answers: list[Any] = []

    def type(self, command: str) -> None:
        if command.startswith("cat > "):
            name, _, text = command.removeprefix("cat > ").partition(" <<'END'\n")
            (self.folder / name).write_text(text.removesuffix("END"))
        elif command.startswith("curl "):
            self._send(shlex.split(command))
        else:
            line, _, name = command.partition(" > ")
            assert line.startswith(PYTHON), line
            said = self.run(*shlex.split(line.removeprefix(PYTHON)))
            (self.folder / name).write_text(said)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _send(self, words: list[str]) -> None:
        assert words[3:6:2] == ["-H", "-H"]
        assert words[-2] == "--data-binary"
        body = (self.folder / words[-1].removeprefix("@")).read_bytes()
        path = words[2].removeprefix("$URL")
        headers = {"Content-Type": "application/json"}
        answer = self.door.post(path, content=body, headers=headers)
        assert answer.is_success, answer.text
        self.answers.append(answer.json())


def _exporter(make_license: MakeLicense, door: OpenDoor, folder: Path) -> Exporter:
    """ACME of the README, which has shipped one gate."""
    acme = door(Role.EXPORTER, "ACME")
    named = {"reference": "ACME", "name": "Acme Gates", "country": "DE"}
    make_license(number="TRY-2026-1", exporter=named)
    shipment = {"license": "TRY-2026-1", "reference": "SHIP-1", "line": 1, "date": "2026-03-10"}
    shipped = acme.post("/v1/shipments", shipment | {"quantity": 1, "serials": ["G-1"]})
    assert shipped.status_code == 201, shipped.text
    return Exporter(folder, acme)


def test_the_page_works_as_it_stands(
    make_license: MakeLicense, door: OpenDoor, tmp_path: Path
) -> None:
    exporter = _exporter(make_license, door, tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = re.findall(r"cat > .*?\nEND$|^\S.*?$", "".join(blocks), re.DOTALL | re.MULTILINE)
    assert len("".join(blocks).splitlines()) <= 20
    for command in commands:
        exporter.type(command)

    key, foreseen, filed = exporter.answers
    assert (key["party"], key["label"]) == ("ACME", "Export desk")
    assert foreseen["signature"] == filed["signature"]
    assert (filed["signature"]["grade"], filed["signature"]["key"]) == ("D", key["id"])
    assert (tmp_path / "acme.pem").stat().st_mode & 0o077 == 0


def test_a_certificate_and_a_pdf_are_prepared_with_the_same_commands(
    make_license: MakeLicense, door: OpenDoor, tmp_path: Path
) -> None:
    exporter = _exporter(make_license, door, tmp_path)
    key, root = made("PS256"), Authority()
    certificate = root.issue("Erika", key)
    private = key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "erika.pem").write_bytes(private)
    (tmp_path / "chain.pem").write_text(pem(certificate, root.certificate))
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    exporter.type(re.findall(r"cat > .*?\nEND$", blocks, re.DOTALL | re.MULTILINE)[0])

    offered = exporter.run(
        "signing-key", "registration", "erika.pem", "--party", "ACME", "--certificate", "chain.pem"
    )
    made_known = exporter.door.post(
        "/v1/signing-keys", content=offered, headers={"Content-Type": "application/json"}
    )
    assert made_known.status_code == 201, made_known.text
    digest = exporter.run("sign", "report.json", "--digest").strip()
    pdf = accepted(exporter.door, sealed(letter(f"Report {digest}"), key, certificate))
    body = json.loads((tmp_path / "report.json").read_text())
    filed = exporter.door.post("/v1/reports", body | {"signature": {"pdf": pdf}})
    assert filed.json()["signature"]["grade"] == "D", filed.text
    text = exporter.run("sign", "report.json", "--canonical")
    assert json.loads(text) == body
    assert not text.endswith("\n")
    bare = exporter.run("sign", "report.json", "--key", "erika.pem", "--timeless")
    again = exporter.door.post(
        "/v1/reports", body | {"reference": "ATT-2", "signature": bare.strip()}
    )
    problem(again, 422, "signature-wrong")


def test_what_cannot_be_signed_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "twice.json").write_text('{"a": 1, "a": 2}')
    (tmp_path / "good.json").write_text('{"a": 1}')
    (tmp_path / "no.pem").write_text("junk")
    for arguments, words in (
        (["sign", "twice.json", "--digest"], "stands twice"),
        (["sign", "good.json"], "--key"),
        (["sign", "good.json", "--digest", "--canonical"], "--key"),
        (["sign", "good.json", "--key", "no.pem"], "no private key"),
        (["sign", "nowhere.json", "--digest"], "nowhere.json"),
        (["signing-key", "new", "no.pem", "--party", "ACME"], "never overwritten"),
        (["signing-key", "registration", "no.pem", "--party", "ACME"], "no private key"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in {1, 2}
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
