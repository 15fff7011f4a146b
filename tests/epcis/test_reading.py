import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shipments import epcis, epcis_schema
from tests.epcis.events import CONTEXT, GATE, declared_wrong, document, event


@pytest.mark.parametrize(
    ("name", "serial"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2017", "2017"),
        ("urn:epc:id:sgtin:0614141.107346.FR-7.a", "FR-7.a"),
        ("urn:epc:id:sgtin:0614141.107346.FR%2F7", "FR/7"),
        ("https://id.gs1.org/01/70614141123451/21/2017", "2017"),
        ("https://example.org/some/path/01/70614141123451/10/B1/21/FR%2F7?17=260101", "FR/7"),
        ("https://id.gs1.org/01/70614141123451", None),
        ("https://id.gs1.org/01/70614141123451/10/998877", None),
        ("urn:epc:id:giai:4000001.12345", None),
        ("urn:epc:idpat:sgtin:4012345.098765.*", None),
        ("urn:epc:id:sscc:0614141.1234567890", None),
        ("2017", None),
    ],
)
def test_a_unit_is_known_by_the_serial_in_its_name(name: str, serial: str | None) -> None:
    assert epcis.serial_of(name) == serial


@pytest.mark.parametrize("form", ["{}", "cbv:Disp-{}", "https://ref.gs1.org/cbv/Disp-{}"])
def test_words_of_the_vocabulary_mean_the_same_in_each_form(form: str) -> None:
    for word, ours in epcis.DISPOSITIONS.items():
        assert epcis.read(event("A", disposition=form.format(word))).disposition == ours


@pytest.mark.parametrize(
    ("more", "became"),
    [
        ({"disposition": "in_transit"}, None),
        ({"disposition": "unknown"}, None),
        ({"disposition": "active", "bizStep": "storing"}, "stored"),
        (
            {"bizStep": "https://ref.gs1.org/cbv/BizStep-destroying", "action": "DELETE"},
            "destroyed",
        ),
        ({"bizStep": "installing"}, "in_use"),
        ({"bizStep": "installing", "action": "DELETE"}, None),
        ({"bizStep": "installing", "disposition": "stolen"}, "stolen"),
        ({"disposition": "urn:endwatch:disposition:lost"}, "lost"),
        ({"disposition": "urn:endwatch:disposition:eaten"}, None),
        ({"bizStep": "urn:endwatch:disposition:transferred"}, "transferred"),
        ({"persistentDisposition": {"set": ["completeness_verified", "disposed"]}}, "disposed"),
        ({"persistentDisposition": {"unset": ["disposed"]}}, None),
        ({"bizStep": "retail_selling"}, "transferred"),
    ],
    ids=str,
)
def test_what_became_of_a_unit(more: dict[str, Any], became: str | None) -> None:
    said = event("A", **more)
    epcis_schema.check(document(said))
    assert epcis.read(said).disposition == became


def _list(end: str, *named: tuple[str, str]) -> list[dict[str, str]]:
    return [{"type": kind, end: name} for kind, name in named]


def test_possession_goes_before_ownership() -> None:
    both = [("owning_party", "urn:x:owner"), ("possessing_party", "urn:x:holder")]
    places = [("location", "urn:x:dock"), ("owning_party", "urn:x:owner")]
    read = epcis.read(
        event("A", sourceList=_list("source", *places), destinationList=_list("destination", *both))
    )
    assert (read.from_party, read.to_party) == ("urn:x:owner", "urn:x:holder")
    void = epcis.read(event("A", bizStep="void_shipping"))
    assert (void.from_party, void.to_party) == (None, None)


def test_goods_on_the_way_do_not_stay_where_they_were_seen() -> None:
    here = {"bizLocation": {"id": "urn:x:here"}, "readPoint": {"id": "urn:x:gate"}}
    for step, resting in (("shipping", False), ("receiving", True)):
        read = epcis.read(event("A", bizStep=step, **here))
        assert (read.place, read.resting) == ("urn:x:here", resting)
    only = epcis.read(
        {name: value for name, value in event("A", **here).items() if name != "bizLocation"}
    )
    assert (only.place, only.resting) == ("urn:x:gate", False)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("urn:epc:id:pgln:4012345.00000", "gln:4012345000009"),
        ("urn:epc:id:sgln:0614141.00001.0", "gln:0614141000012"),
        ("urn:epc:id:sgln:0614141.00001.a7", "gln:0614141000012.a7"),
        ("https://id.gs1.org/414/0614141000012", "gln:0614141000012"),
        ("https://id.gs1.org/414/0614141000012/254/a7", "gln:0614141000012.a7"),
        ("https://id.gs1.org/417/4012345000009", "gln:4012345000009"),
        ("4012345000009", "gln:4012345000009"),
        ("urn:epc:id:sgln:0614141.1.0", "urn:epc:id:sgln:0614141.1.0"),
        ("KE-BCA", "KE-BCA"),
    ],
)
def test_a_gln_is_written_in_one_way(name: str, written: str) -> None:
    assert epcis.canonical(name) == written


@given(st.from_regex(r"\d{12}", fullmatch=True))
def test_a_check_digit_makes_the_weighted_sum_end_in_nought(digits: str) -> None:
    """GS1: from the right, digits count three and one by turns, the check digit counting one."""
    whole = digits + epcis.check_digit(digits)
    assert sum(int(one) * (1, 3)[at % 2] for at, one in enumerate(reversed(whole))) % 10 == 0


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("geo:-1.319,36.928", (-1.319, 36.928)),
        ("geo:-1.319,36.928,1600;crs=wgs84;u=20", (-1.319, 36.928)),
        ("geo:91,0", None),
        ("geo:north", None),
    ],
)
def test_a_geo_uri_is_a_position(name: str, position: tuple[float, float] | None) -> None:
    assert epcis.position_of(name) == position


@given(st.text(min_size=1, max_size=200))
def test_whatever_it_is_called_a_name_fits_a_reference(name: str) -> None:
    assert epcis.reference_of(epcis.as_code(name)) == epcis.as_code(name)


def test_an_error_declaration_says_the_same_and_has_another_reference() -> None:
    right = epcis.read(event("A"))
    wrong = epcis.read(declared_wrong(dict(event("A"), eventID=right.id), event("B")))
    assert (wrong.in_error, right.in_error, wrong.digest) == (True, False, right.digest)
    assert epcis.reference_of(right.id) == right.id
    assert epcis.reference_of(wrong.id, in_error=True) != right.id
    long = (
        "ni:///sha-256;df7bb3c352fef055578554f09f5e2aa41782150ced7bd0b8af24dd3ccb30ba69?ver=CBV2.0"
    )
    assert epcis.reference_of(long) != epcis.reference_of(long, in_error=True)
    assert len(epcis.reference_of(long, in_error=True)) <= 64


def test_an_event_without_an_id_is_named_after_what_it_says() -> None:
    nameless = {name: value for name, value in event("A").items() if name != "eventID"}
    again = epcis.read(declared_wrong(nameless | {"recordTime": "2026-04-01T12:00:01Z"}))
    assert epcis.read(nameless).id == again.id
    assert epcis.read(nameless | {"action": "DELETE"}).id != again.id


def test_what_has_no_fixed_form_is_not_kept() -> None:
    said = event(
        "A",
        action="ADD",
        **{
            "example:photo": "aGVsbG8=",
            "ilmd": {"example:name": "Amina"},
            "readPoint": {"id": "urn:x:gate", "example:guard": "Amina"},
            "sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 26.0}]}],
        },
    )
    declared = declared_wrong(said)
    declared["errorDeclaration"]["example:by"] = "Amina"
    epcis_schema.check(document(declared, **{"@context": [*CONTEXT, {"example": "urn:x:"}]}))
    read = epcis.read(declared)
    assert "Amina" not in str(read.body)
    assert "photo" not in str(read.body)
    assert read.body["readPoint"] == {"id": "urn:x:gate"}
    assert read.body["epcList"] == [f"{GATE}A"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"action": None}, "/epcisBody/eventList/0/action"),
        ({"eventTime": "yesterday"}, "/epcisBody/eventList/0/eventTime"),
        ({"bizStep": "eating"}, "/epcisBody/eventList/0/bizStep"),
        ({"photo": "aGVsbG8="}, "/epcisBody/eventList/0"),
        ({"type": "FunnyEvent"}, "/epcisBody/eventList/0/type"),
        ({"readPoint": {}}, "/epcisBody/eventList/0/readPoint"),
        ({"epcList": "A"}, "/epcisBody/eventList/0/epcList"),
        ({"eventID": "no uri"}, "/epcisBody/eventList/0/eventID"),
    ],
    ids=str,
)
def test_what_is_no_event_is_refused_naming_the_field(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(epcis_schema.DocumentInvalid) as refused:
        epcis_schema.check(document(event("A", **change)))
    assert refused.value.pointer == pointer
    assert "aGVsbG8=" not in refused.value.detail


def test_events_come_in_documents_in_answers_to_queries_and_alone() -> None:
    one = event("A")
    answer = copy.deepcopy(document())
    answer["type"] = "EPCISQueryDocument"
    answer["epcisBody"] = {
        "queryResults": {"queryName": "q", "resultsBody": {"eventList": [one, one]}}
    }
    epcis_schema.check(answer)
    alone = one | {"@context": CONTEXT}
    epcis_schema.check(alone)
    assert epcis.events_of(document(one)) == [one]
    assert epcis.events_of(answer) == [one, one]
    assert epcis.events_of(alone) == [alone]


def test_too_long_a_text_is_found_wherever_it_stands() -> None:
    fits, over = "x" * epcis.LONGEST, "x" * (epcis.LONGEST + 1)
    assert not epcis.too_long({"a": [{"b": fits, "c": 1}]})
    assert epcis.too_long({"a": [{"b": over}]})
    assert epcis.too_long({"a": {over: 1}})


def _nothing_said(**more: Any) -> dict[str, Any]:
    lists = {"sourceList", "destinationList", "bizLocation"}
    return {name: value for name, value in event("A", **more).items() if name not in lists}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (event("A"), None),
        (event(), "no unit by serial number"),
        (_nothing_said(), "neither what became of the units"),
        (event("A", type="urn:x:FunnyEvent"), "not of EPCIS 2.0"),
        ({**_nothing_said(), "type": "TransformationEvent"}, "a transformation"),
    ],
)
def test_why_an_event_tells_nothing_of_custody(said: dict[str, Any], why: str | None) -> None:
    silent = epcis.read(said).silent
    assert silent is None if why is None else why in str(silent)


@pytest.mark.parametrize(
    "transaction",
    [
        "http://acme.test/po/BX-2026-00017",
        "http://acme.test/po/BX-2026-00017/",
        "urn:epcglobal:cbv:bt:0614141073467:BX-2026-00017",
        "urn:x:license:BX%2D2026%2D00017",
    ],
)
def test_the_last_part_of_a_business_transaction_may_be_a_license(transaction: str) -> None:
    named = event("A", bizTransactionList=[{"type": "po", "bizTransaction": transaction}])
    assert epcis.read(named).transactions == ("BX-2026-00017",)


def test_references_of_ours_are_read_from_their_own_uris() -> None:
    assert epcis.own_reference("urn:endwatch:party:KE%2DBCA", "party") == "KE-BCA"
    assert epcis.own_reference("urn:endwatch:party:KE-BCA", "site") is None
    assert epcis.own_reference("urn:epc:id:pgln:4012345.00000", "party") is None
