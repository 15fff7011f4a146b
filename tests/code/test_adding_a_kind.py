"""Adding a kind of condition stays one file: dropped into `monitors/`, it is everywhere at once.

Processes of their own are started in a copy of the package, once with the file and once without.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.files import written
from tests.world import condition, license_body

ROOT = Path(__file__).parents[2]
ONE_FILE = Path(__file__).with_name("kinds") / "power_supply.py"
KIND, TERM, FACT = "power_supply", "min_battery_hours", "battery_hours"
QUESTION = "For how long does the battery run the unit without the mains?"

NUMBER = "BX-2026-77001"
TEXT = "The battery shall run the unit for 8 hours."
AGREED = condition(KIND, TEXT, min_battery_hours=8)
IN_KILOGRAMS = {
    "line": 1,
    "description": "Iris sensor modules",
    "classification": "3A981",
    "modality": "iris",
    "quantity": "12.5",
    "unit": "kg",
}


@dataclass(frozen=True)
class Product:
    """The product as it is with one folder of kinds; commands run in that folder."""

    folder: Path

    def run(self, module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a module to its end: the folder is first on its path, the product second."""
        names = ("ENDWATCH_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def told(self) -> dict[str, Any]:
        """Give what it tells of its kinds."""
        done = self.run("tests.code.kinds_told")
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["monitors"] == str(self.folder / "monitors")
        return told


def _product(folder: Path) -> Product:
    shutil.copytree(
        ROOT / "monitors", folder / "monitors", ignore=shutil.ignore_patterns("__pycache__")
    )
    return Product(folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The product as it is."""
    return _product(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The product with one file more."""
    product = _product(tmp_path_factory.mktemp("grown"))
    shutil.copy(ONE_FILE, product.folder / "monitors")
    return product


@pytest.fixture(scope="module")
def before(plain: Product) -> dict[str, Any]:
    return plain.told()


@pytest.fixture(scope="module")
def after(grown: Product) -> dict[str, Any]:
    return grown.told()


def _all_names(part: Any) -> Iterator[str]:
    """Every name and every text anywhere in a document."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for one in part:
            yield from _all_names(one)
    elif isinstance(part, dict):
        for name, value in part.items():
            yield name
            yield from _all_names(value)


def _schema(told: dict[str, Any], *path: str) -> Any:
    """Walk into a schema of the document by names, following references."""
    schemas = told["document"]["components"]["schemas"]
    found = schemas
    for name in path:
        found = found[name]
        if "$ref" in found:
            found = schemas[found["$ref"].rpartition("/")[2]]
    return found


def test_one_file_is_all_that_was_added(plain: Product, grown: Product) -> None:
    files = [
        {
            one.name: one.read_bytes()
            for one in (product.folder / "monitors").iterdir()
            if one.suffix
        }
        for product in (plain, grown)
    ]

    assert files[1] == {**files[0], ONE_FILE.name: ONE_FILE.read_bytes()}
    assert ONE_FILE.name not in files[0]


def test_a_license_may_carry_it(after: dict[str, Any]) -> None:
    name = "PowerSupplyCondition"
    own = _schema(after, name, "properties")
    terms = _schema(after, name, "properties", "terms")

    assert own["kind"]["const"] == KIND
    assert terms["required"] == [TERM]
    assert terms["properties"][TERM]["maximum"] == 720
    for place in ("LicenseIn", "AmendmentIn"):
        union = _schema(after, place, "properties", "conditions")["items"]
        assert union["discriminator"]["mapping"][KIND].endswith(f"/{name}")
        assert {"$ref": f"#/components/schemas/{name}"} in union["oneOf"]


@pytest.mark.parametrize("said", ["ReadingIn", "StatementIn"])
def test_a_report_and_a_reading_may_state_its_fact(after: dict[str, Any], said: str) -> None:
    facts = _schema(after, said, "properties", "facts")

    (number,) = [one for one in facts["properties"][FACT]["anyOf"] if one["type"] != "null"]
    assert (number["type"], number["minimum"]) == ("number", 0)
    assert facts["additionalProperties"] is False


def test_it_is_listed_among_the_condition_types(after: dict[str, Any]) -> None:
    (listed,) = [one for one in after["condition_types"] if one["kind"] == KIND]

    assert listed["title"] == "Power supply"
    assert listed["documentation"].startswith("Power supply: a unit cut from the mains")
    assert listed["terms"]["properties"][TERM]["description"]
    assert listed["facts"] == [FACT]
    assert listed["how_to_check"].startswith("Pull the plug")


def test_its_fact_is_a_word_of_the_vocabulary_ready_for_a_form(after: dict[str, Any]) -> None:
    (listed,) = [one for one in after["facts"] if one["name"] == FACT]

    assert (listed["question"], listed["unit"]) == (QUESTION, "hours")
    assert (listed["scopes"], listed["read_by"]) == (["unit"], [KIND])
    (number,) = [one for one in listed["json_schema"]["anyOf"] if one["type"] != "null"]
    assert (number["type"], number["minimum"]) == ("number", 0)


def test_its_fact_has_a_column_in_the_files_people_import(after: dict[str, Any]) -> None:
    assert after["columns"][f"facts.{FACT}"] == "number"
    assert after["names_of_columns"][FACT] == f"facts.{FACT}"


def test_it_has_a_place_on_the_page_of_conditions(after: dict[str, Any]) -> None:
    page = after["page"]

    assert f"- [`{KIND}`](#{KIND}): Power supply" in page
    section = page.partition(f"\n## {KIND}\n")[2].partition("\n## ")[0]
    assert f"| `{TERM}` | whole number, 1 to 720 | required |" in section
    assert f"| `{FACT}` | hours | unit | {QUESTION} |" in section
    assert "**How to check on site.** Pull the plug" in section
    assert f"| `{FACT}` | number, 0 to 1,000,000,000,000 | hours | unit | [`{KIND}`]" in page


def test_without_the_file_nothing_tells_of_it(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    words = (KIND, FACT, TERM, "PowerSupply", "Power supply")

    def telling(told: dict[str, Any]) -> set[str]:
        del told["monitors"]
        return {part for part in told if any(w in n for n in _all_names(told[part]) for w in words)}

    assert telling(dict(after)) == set(after) - {"monitors"}
    assert telling(dict(before)) == set()


def _license(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return license_body(*conditions, **{"number": NUMBER} | more)


def _lint(product: Product, *licenses: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    file = written(product.folder / "licenses.json", licenses)
    return product.run("app.cli", "lint", "--json", file)


def test_the_linter_has_advice_on_a_bad_one_and_none_on_a_good_one(grown: Product) -> None:
    wrong_number = condition(
        KIND, "The battery shall run the unit for 12 hours.", **AGREED["terms"]
    )
    done = _lint(
        grown, _license(AGREED), _license(wrong_number), _license(AGREED, lines=[IN_KILOGRAMS])
    )

    told = json.loads(done.stdout)["looked_at"]
    good, mistaken, unverifiable = [
        {one["code"]: one for one in each["advice"] if one["pointer"].startswith("/conditions/")}
        for each in told
    ]
    assert good == {}
    assert "12 hours" in mistaken["text_number_not_in_terms"]["detail"]
    assert f"it reads `{FACT}`" in unverifiable["nothing_can_verify"]["detail"]
    assert done.returncode == 1


def test_the_linter_refuses_terms_it_does_not_take(grown: Product, plain: Product) -> None:
    none = _lint(grown, _license(condition(KIND, TEXT, min_battery_hours=0)))
    unknown = _lint(plain, _license(AGREED))

    assert (none.returncode, unknown.returncode) == (2, 2)
    assert f"/conditions/0/terms/{TERM}: Input should be greater than or equal to 1" in none.stderr
    assert f"'{KIND}' found using 'kind' does not match any of the expected tags" in unknown.stderr


def _report(hours: float) -> dict[str, Any]:
    return {
        "kind": "attestation",
        "license": NUMBER,
        "reference": "ATT-1",
        "observed_at": "2026-05-01T12:00:00Z",
        "statements": [{"subject": {"serial": "A-1"}, "facts": {FACT: hours}}],
    }


def _check(
    product: Product, said: Path, *conditions: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    license = written(product.folder / "license.json", [_license(*conditions)])
    return product.run("app.cli", "check", "--json", license, said)


@pytest.mark.parametrize(("hours", "flagged"), [(8, []), (7.5, ["7.5 hours"])])
def test_it_judges_a_report(grown: Product, hours: float, flagged: list[str]) -> None:
    done = _check(grown, written(grown.folder / "report.json", [_report(hours)]), AGREED)

    (license,) = json.loads(done.stdout)["licenses"]
    assert [one["observed"] for one in license["flagged"]] == flagged
    assert [one["kind"] for one in license["flagged"]] == [KIND for _ in flagged]
    assert done.returncode == len(flagged)


def test_it_judges_readings_of_a_table(grown: Product) -> None:
    row = {"license": NUMBER, "serial": "A-1", "observed_at": "2026-05-01T12:00:00Z", FACT: 3}
    done = _check(grown, written(grown.folder / "readings.csv", [row]), AGREED)

    (license,) = json.loads(done.stdout)["licenses"]
    (flagged,) = license["flagged"]
    assert (flagged["kind"], flagged["observed"]) == (KIND, "3 hours")


def test_without_the_file_its_fact_is_refused(plain: Product) -> None:
    heard = condition("gallery_cap", max_enrolled=5000)
    done = _check(plain, written(plain.folder / "report.json", [_report(7)]), heard)

    assert done.returncode == 2
    assert f"/statements/0/facts/{FACT}: '{FACT}' is not a fact of the vocabulary" in done.stderr
