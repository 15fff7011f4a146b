"""Checks an Endwatch journal, offline and without trusting whoever runs it.

This one file needs Python 3.11 and the package `cryptography`, nothing else of Endwatch:

    python verify.py EXPORT              a file of `endwatch journal export`
    python verify.py FILING.tlog-proof   the proof of a filing, from GET /v1/receipts/{id}
    python verify.py https://HOST        a running service, by its public tiles

Integrity: every entry hashes to the tree, the tree to every signed checkpoint, and to every checkpoint
that was ever seen (`--state`). Signatures, of an export: every report that its exporter signed was signed
by a key registered before, and says what was signed. Projection, of an export: the tables in it equal what the entries add up
to. Completeness, which judges history again, needs the product: `endwatch verify --completeness`.

Exit code: 0 all is well, 1 something is not and the first bad entry is named, 2 not to be read.
Sources: RFC 6962; https://c2sp.org/tlog-tiles, tlog-checkpoint, tlog-cosignature, tlog-proof.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

WELL, BAD, UNREADABLE = 0, 1, 2
HEAD = b"endwatch journal export 1\n"
PROOF = "c2sp.org/tlog-proof@v1"
HASH, WIDTH = 32, 256
MISSING = "it is missing"
UNLIKE = "it does not hash to what the tree holds of it"
DASH = "\u2014"
LARGEST_ANSWER = 64 * 2**20
sha256 = hashlib.sha256


class Unreadable(Exception):
    """The source is not what it should be, so that nothing can be said of it."""


@dataclass
class Findings:
    """What was found: faults, the first bad entry first; what was checked; what to know beside.

    `left_out` is what could not be checked for the faults found.
    """

    faults: list[tuple[int, str]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def fault(self, seq: int, what: str) -> None:
        """Note a fault at an entry; of those at a missing one, the first."""
        if not (what.startswith(MISSING) and self.named(seq, seq)):
            self.faults.append((seq, what))

    def named(self, first: int, last: int) -> bool:
        """Say whether a fault is named between two entries."""
        return any(first <= seq <= last for seq, _ in self.faults)

    def told(self) -> Iterator[str]:
        """Put everything into sentences."""
        yield from (f"note: {one}" for one in self.notes)
        for seq, what in sorted(self.faults, key=lambda fault: (fault[0] == 0, fault[0]))[:20]:
            yield f"BAD entry {seq}: {what}" if seq else f"BAD: {what}"
        yield from (f"not checked: {one}" for one in self.left_out)
        if not self.faults:
            yield from (f"good: {one}" for one in self.checked)


# Keys, notes, checkpoints


@dataclass(frozen=True)
class Key:
    """A verifier key, `name+id+base64`: of a log (kind 1) or of a witness (kind 4)."""

    name: str
    id: bytes
    kind: int
    public: bytes
    text: str

    @classmethod
    def read(cls, text: str) -> "Key":
        """Read a verifier key. Raises Unreadable."""
        name, _, rest = text.strip().partition("+")
        packed = _unpacked(rest.partition("+")[2])
        if len(packed) != 33 or packed[0] not in {1, 4}:
            raise Unreadable(f"not a verifier key: {text.strip()[:100]}")
        id = sha256(f"{name}\n".encode() + packed).digest()[:4]
        if rest.partition("+")[0] != id.hex():
            raise Unreadable(f"the key of {name} does not fit its id")
        return cls(name, id, packed[0], packed[1:], text.strip())

    def signed(self, signature: bytes, text: str) -> bool:
        """Say whether a signature of this key is on a text."""
        message = text.encode()
        if self.kind == 4:
            seconds = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {seconds}\n".encode() + message
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """What a log signed: its name, its size, its root; and the whole note."""

    origin: str
    size: int
    root: bytes
    text: str
    note: str

    @classmethod
    def read(cls, note: str) -> "Checkpoint":
        """Take a note apart, without believing it. Raises Unreadable."""
        text, blank, _ = note.rpartition("\n\n")
        lines = f"{text}\n".split("\n")
        if not blank or len(lines) < 4 or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
            raise Unreadable("not a checkpoint: a name, a size and a root are missing")
        return cls(lines[0], int(lines[1]), _unpacked(lines[2]), f"{text}\n", note)

    def signers(self, keys: Iterable[Key]) -> set[str]:
        """Name the keys that signed. Raises Unreadable when one of their signatures is wrong."""
        found = set()
        for line in self.note.rpartition("\n\n")[2].splitlines():
            name, _, packed = line.removeprefix(f"{DASH} ").partition(" ")
            signature = _unpacked(packed)
            for key in keys:
                if (key.name, key.id) == (name, signature[:4]):
                    if not key.signed(signature[4:], self.text):
                        raise Unreadable(f"the signature of {name} is wrong")
                    found.add(key.text)
        return found


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Unreadable(f"not base64: {text[:60]!r}") from error


# The tree (RFC 6962)


def leaf_of(entry: bytes) -> bytes:
    """Hash an entry."""
    return sha256(b"\x00" + entry).digest()


def join(left: bytes, right: bytes) -> bytes:
    """Hash two neighbors."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """All complete subtrees over a row of leaf hashes, height by height."""

    def __init__(self, leaves: bytes) -> None:
        self.size = len(leaves) // HASH
        self.heights = [leaves]
        while len(self.heights[-1]) >= 2 * HASH:
            row = self.heights[-1]
            end = len(row) // (2 * HASH) * (2 * HASH)
            self.heights.append(
                b"".join(
                    [sha256(b"\x01" + row[at : at + 2 * HASH]).digest() for at in range(0, end, 64)]
                )
            )

    def node(self, height: int, place: int) -> bytes:
        """Give the hash of a complete subtree."""
        return self.heights[height][place * HASH : (place + 1) * HASH]

    def root(self, size: int) -> bytes:
        """Give the root of the first entries."""
        found, left = b"", size
        while left:
            width = left & -left
            part = self.node(width.bit_length() - 1, (left - width) // width)
            found = join(part, found) if found else part
            left -= width
        return found or sha256().digest()


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Give the root that an inclusion proof leads to; None when it does not fit the tree."""
    found, last, rest = leaf, size - 1, list(path)
    while last > 0:
        if index & 1 or index < last:
            if not rest:
                return None
            beside = rest.pop(0)
            found = join(beside, found) if index & 1 else join(found, beside)
        index, last = index >> 1, last >> 1
    return None if rest else found


# What was seen before


class State:
    """A file of checkpoints and keys that were seen, so that a log cannot change its story."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.keys: list[str] = []
        self.notes: list[str] = []
        if path is not None and path.exists():
            told = json.loads(path.read_text())
            self.keys, self.notes = told["keys"], told["checkpoints"]

    def seen(self, origin: str) -> list[Checkpoint]:
        """Give what was seen of a log, smallest first."""
        found = [one for one in map(Checkpoint.read, self.notes) if one.origin == origin]
        return sorted(found, key=lambda one: one.size)

    def remember(self, keys: Iterable[Key], checkpoints: Iterable[Checkpoint]) -> None:
        """Remember keys and checkpoints, and put the file in place of the one before."""
        if self.path is None:
            return
        self.keys += [key.text for key in keys if key.text not in self.keys]
        known = {Checkpoint.read(note).text for note in self.notes}
        self.notes += [one.note for one in checkpoints if one.text not in known]
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text(json.dumps({"keys": self.keys, "checkpoints": self.notes}, indent=1))
        os.replace(fresh, self.path)  # noqa: PTH105 the same with os and pathlib


@dataclass
class Trust:
    """Whom to believe: the log's keys, witnesses, how many of these must have signed, the past."""

    keys: list[Key]
    witnesses: list[Key]
    quorum: int
    state: State

    def know(self, keys: Iterable[str], findings: Findings) -> None:
        """Take the log's own word for its keys when nobody gave any; say so."""
        if not self.keys:
            self.keys = [Key.read(text) for text in keys]
            findings.notes.append(
                "the key is the one the source itself names; give --key, noted at another time and "
                "place, to be sure who signed"
            )

    def check(self, checkpoint: Checkpoint) -> str | None:
        """Say what is wrong with the signatures on a checkpoint, if anything is."""
        try:
            signers = checkpoint.signers([*self.keys, *self.witnesses])
        except Unreadable as error:
            return str(error)
        if not signers & {key.text for key in self.keys if key.name == checkpoint.origin}:
            return f"no key you trust signed for {checkpoint.origin}"
        return None

    def witnessed(self, checkpoint: Checkpoint) -> int:
        """Count the witnesses that signed."""
        return len(checkpoint.signers(self.witnesses))


# Signatures on reports (RFC 7515, RFC 7518, RFC 7638, RFC 8037)


class Signatures:
    """Checks again every detached signature on a report, by the key that was registered for it."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.revoked: set[str] = set()
        self.filed: tuple[str, dict[str, Any]] = ("", {})
        self.faults: list[tuple[int, str]] = []
        self.held = 0

    def take(self, told: dict[str, Any], name: str, said: dict[str, Any]) -> None:
        """Look at an entry that tells of keys, reports or signatures."""
        match told["action"]:
            case "signing_key.registered":
                self.keys[name] = said
            case "signing_key.revoked":
                self.revoked.add(name)
            case "report.filed":
                self.filed = (name, said)
            case "report.signed" if said["kind"] == "jws":
                wrong = self._wrong(name, said, told["party"])
                if wrong:
                    self.faults.append((told["seq"], wrong))
                self.held += not wrong

    def _wrong(self, name: str, said: dict[str, Any], party: str) -> str | None:
        """Say what is wrong with a signature, if anything is."""
        payload, key = said["payload"].encode(), self.keys.get(said["key"])
        if key is None or key["party"] != party or key["kid"] != said["kid"]:
            return f"no key {said['kid']} was registered for {party} before it"
        if said["key"] in self.revoked:
            return f"key {said['kid']} was revoked before it"
        if said["digest"] != f"sha256:{sha256(payload).hexdigest()}":
            return "its digest is not that of what was signed"
        if not _signed_by(key["jwk"], key["kid"], said["signature"], payload):
            return f"the signature is not by key {said['kid']}"
        if self.filed[0] != name or not _within(json.loads(payload), self.filed[1]):
            return "what was signed is not what was filed"
        return None


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signed_by(jwk: dict[str, str], kid: str, signature: str, payload: bytes) -> bool:
    """Check a detached JWS; the algorithm is that of the key."""
    thumb = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
    head, _, octets = signature.split(".")
    header = json.loads(_unpadded(head))
    if _unpadded(kid) != sha256(thumb).digest() or header["kid"] != kid:
        return False
    text = f"{head}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}".encode()
    try:
        _check(jwk, header["alg"], _unpadded(octets), text)
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def _check(jwk: dict[str, str], algorithm: str, signature: bytes, text: bytes) -> None:
    """Raise InvalidSignature unless a key signed a text."""
    parts: Sequence[str] = ("x", "y", "n", "e")
    number = {name: int.from_bytes(_unpadded(jwk[name])) for name in parts if name in jwk}
    match jwk["kty"], jwk.get("crv"), algorithm:
        case "OKP", "Ed25519", "Ed25519" | "EdDSA":
            Ed25519PublicKey.from_public_bytes(_unpadded(jwk["x"])).verify(signature, text)
        case "EC", "P-256", "ES256":
            _check_curve(number, ec.SECP256R1(), hashes.SHA256(), signature, text)
        case "EC", "P-384", "ES384":
            _check_curve(number, ec.SECP384R1(), hashes.SHA384(), signature, text)
        case "RSA", None, "PS256":
            salted = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            numbers = rsa.RSAPublicNumbers(number["e"], number["n"])
            numbers.public_key().verify(signature, text, salted, hashes.SHA256())
        case _:
            raise InvalidSignature


def _check_curve(
    number: dict[str, int], curve: Any, hash: Any, signature: bytes, text: bytes
) -> None:
    half = (curve.key_size + 7) // 8
    if len(signature) != 2 * half:
        raise InvalidSignature
    pair = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    point = ec.EllipticCurvePublicNumbers(number["x"], number["y"], curve).public_key()
    point.verify(encode_dss_signature(*pair), text, ec.ECDSA(hash))


def _within(signed: Any, filed: Any) -> bool:
    """Say whether everything that was signed stands in what was filed, in whatever words.

    The service fills in what was left out, and writes times in UTC and amounts as text.
    """
    if isinstance(signed, dict) and isinstance(filed, dict):
        return all(_within(value, filed.get(name)) for name, value in signed.items())
    if isinstance(signed, list) and isinstance(filed, list):
        return len(signed) == len(filed) and all(map(_within, signed, filed))
    return bool(signed == filed or _plain(signed) == _plain(filed))


def _plain(value: Any) -> Any:
    """Give a time as an instant and a number in text as a number."""
    text = str(value)
    for read_as in (datetime.fromisoformat, Decimal):
        try:
            return read_as(text)
        except (ValueError, ArithmeticError):
            continue
    return value


# Projection: what the entries add up to


Row = tuple[str, str, dict[str, Any] | None]
Tables = dict[str, dict[str, dict[str, Any]]]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")


@dataclass(frozen=True)
class Told:
    """An entry: `kind` and `name` of what it is about, `said` its body."""

    seq: int
    action: str
    actor: str
    at: str
    party: str | None
    kind: str
    name: str
    said: dict[str, Any]

    @classmethod
    def read(cls, entry: bytes, body: bytes) -> "Told":
        """Read an entry and its body."""
        told = json.loads(entry)
        kind, _, name = told["subject"].partition(":")
        return cls(
            told["seq"],
            told["action"],
            told["actor"],
            told["recorded_at"],
            told["party"],
            kind,
            name,
            json.loads(body),
        )

    @property
    def what(self) -> str:
        """What happened: the action's last word."""
        return self.action.partition(".")[2]

    @property
    def who(self) -> str:
        """The id in the actor's name."""
        return self.actor.partition(":")[2]

    def some(self, *names: str) -> dict[str, Any]:
        """Give fields of the body, as far as it has them."""
        return {name: self.said[name] for name in names if name in self.said}

    def but(self, *names: str) -> dict[str, Any]:
        """Give all other fields of the body."""
        return {name: value for name, value in self.said.items() if name not in names}


class Fold:
    """The state of some tables as the entries tell it. What they do not tell is not compared."""

    def __init__(self) -> None:
        self.tables: Tables = {name: {} for name in TABLES}
        self.last: dict[tuple[str, str], int] = {}
        self.unread: list[int] = []
        self.signatures = Signatures()

    def take(self, entry: bytes, body: bytes) -> None:
        """Add an entry, if it tells of one of these tables."""
        action = entry[11 : entry.index(b'"', 11)]
        fold = FOLDS.get(action) or FOLDS.get(action.partition(b".")[0])
        if fold is None:
            return
        told = Told.read(entry, body)
        try:
            self.signatures.take(vars(told), told.name, told.said)
            rows = list(fold(told, self.tables))
        except (KeyError, TypeError, ValueError, AttributeError):
            self.unread.append(told.seq)
            return
        for table, name, row in rows:
            self.last[table, name] = told.seq
            if row is None:
                self.tables[table].pop(name, None)
            else:
                self.tables[table][name] = self.tables[table].get(name, {}) | row

    def compare(
        self, rows: dict[str, dict[str, Any]], waiting: set[str], findings: Findings
    ) -> None:
        """Compare with the tables of an export; those it does not hold are not compared.

        Nor are rows of which an entry waits for its number: a service that is at work has some.
        """
        if rows and waiting:
            findings.notes.append(
                f"{len(waiting):,} subjects are not compared: entries about them have no number yet"
            )
        for seq in self.unread:
            findings.fault(seq, "its body does not have what an entry of its kind tells")
        for table, found in rows.items():
            right = self.tables.get(table, {})
            for name in sorted(right.keys() | found.keys()):
                what = _difference(right.get(name), found.get(name))
                if what is not None and not _waits(name, waiting):
                    findings.fault(self.last.get((table, name), 0), f"{table} {name}: {what}")
            findings.checked.append(
                f"{len(found):,} rows of {table} are what the entries add up to"
            )


def _waits(name: str, waiting: set[str]) -> bool:
    """Say whether a row is of a subject that waits; `subject/part` is a row of `subject`."""
    parts = name.split("/")
    return any("/".join(parts[:count]) in waiting for count in range(1, len(parts) + 1))


def _difference(right: Any, found: Any) -> str | None:
    """Say in what a row is not what the entries say of it, if in anything."""
    if found is None:
        return "the entries tell of it, and the table does not have it"
    if right is None:
        return "the table has it, and no entry tells of it"
    return "; ".join(_differences(right, found)) or None


def _differences(right: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for key, value in right.items():
        there = found.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            whole = {name: value.get(name) for name in sorted({*value, *there})}
            yield from _differences(whole, there)
        elif not _same(value, there):
            yield f"{key} is {there!r}, the entries say {value!r}"


def _same(right: Any, found: Any) -> bool:
    """Compare values; of times only the instant counts, and numbers may be written as text."""
    if right == found:
        return type(right) is type(found) or not isinstance(right, bool)
    if isinstance(right, str) and isinstance(found, str):
        return bool(MOMENT.match(right) and MOMENT.match(found)) and _plain(right) == _plain(found)
    if None in (right, found) or {type(right), type(found)} & {bool, dict, list}:
        return False
    return isinstance(_plain(right), Decimal) and _plain(right) == _plain(found)


# What an entry makes of rows: table, name of the row, and columns, which are added to those told
# before (none: the row is gone). A row's name begins with the subject of the entries about it.


def _of_alert(told: Told, _: Tables) -> Iterator[Row]:
    yield "alerts", told.name, told.but("change") | {"party": told.party}


def _of_deviation(told: Told, _: Tables) -> Iterator[Row]:
    known = ("state", "severity", "occurrences", "cleared_at", "withdrawn_at")
    yield "deviations", told.name, told.some(*known)


def _of_license(told: Told, tables: Tables) -> Iterator[Row]:
    if told.action == "license.registered":
        told_of = told.some("state", "granted_on", "expires_on", "end_use", "time_zone")
        yield "licenses", told.name, told_of | {"exporter": told.said["exporter"]["reference"]}
        entered = {"state": told.said["state"], "effective_on": told.said["granted_on"]}
        yield _next(
            "license_states",
            told.name,
            tables,
            entered | _by(told, "actor", "recorded_at", whole=True),
        )
        for line in told.said["lines"]:
            row = {key: value for key, value in line.items() if key != "value"}
            yield "license_lines", f"{told.name}/{line['line']}", row | _of_value(line)
        yield from _of_conditions(told, tables, None)
    elif told.action == "license.state":
        yield "licenses", told.name, told.some("state")
        entered = told.some("state", "ground", "effective_on")
        yield _next(
            "license_states",
            told.name,
            tables,
            entered | _by(told, "actor", "recorded_at", whole=True),
        )


def _of_amendment(told: Told, tables: Tables) -> Iterator[Row]:
    name = f"{told.name}/{told.said['amendment']}"
    row = {"ground": told.said["ground"], "conditions": [told.but("amendment")]}
    if told.what == "proposed":
        yield "amendments", name, row | {"approved_at": None, "approved_by": None}
        yield "amendments", name, {"proposed_by": told.who, "proposed_at": told.at}
    else:
        yield "amendments", name, row | {"approved_by": told.who, "approved_at": told.at}
        yield from _of_conditions(told, tables, told.said["effective_from"])


def _of_conditions(told: Told, tables: Tables, since: str | None) -> Iterator[Row]:
    """Give each condition the next version of its key; one that ends gets a last one."""
    for one in told.said["conditions"]:
        numbers = ",".join(map(str, sorted(one["lines"])))
        key = f"{one['kind']}:{numbers}" if numbers else one["kind"]
        names = ("kind", "text", "terms", "source", "binds", "lines", "effective_to")
        row = {name: one[name] for name in names if name in one}
        starts = {"effective_from": one.get("effective_from") or since}
        graver = {"severity": one.get("severity")}
        given = {name: value for name, value in (starts | graver).items() if value is not None}
        yield _next("conditions", f"{told.name}/{key}", tables, row | given)
    for key in told.said.get("ends") or ():
        over = {"effective_from": since, "effective_to": since}
        yield _next("conditions", f"{told.name}/{key}", tables, over)


def _of_report(told: Told, tables: Tables) -> Iterator[Row]:
    if told.action == "report.filed":
        row = told.some("kind", "reference", "digest", "corrects") | {"body": told.but("digest")}
        yield "reports", told.name, row | _by(told, "filed_by", "received_at", whole=True)
        for number, one in enumerate(told.said["statements"]):
            named = one["subject"]
            subject = named.get("serial") or named.get("site") or told.said["license"]
            said = {"subject": subject, "facts": one["facts"], "received_at": told.at}
            moment = one.get("observed_at") or told.said["observed_at"]
            rest = {"observed_at": moment, "superseded_at": None}
            yield "statements", f"{told.name}/{number}", said | rest
        gone = told.said.get("corrects")
        for number in range(len(_body_of(tables, gone).get("statements", ()))):
            yield "statements", f"{gone}/{number}", {"superseded_at": told.at}
    elif told.action == "report.signed":
        row = told.some("kind", "digest", "payload", "grade") | {"received_at": told.at}
        yield (
            "signatures",
            told.name,
            row | {"signature": told.said["signature"] or told.said["file"]},
        )


def _body_of(tables: Tables, report: str | None) -> dict[str, Any]:
    body: dict[str, Any] = tables["reports"].get(report or "", {}).get("body", {})
    return body


def _of_readings(told: Told, _: Tables) -> Iterator[Row]:
    row = {"root": told.said["root"], "readings": told.said["accepted"]}
    yield "batches", told.name, row | _by(told, "filed_by", "received_at", whole=True)


def _of_shipment(told: Told, _: Tables) -> Iterator[Row]:
    said, by = told.said, _by(told, "filed_by", "received_at", whole=True)
    columns = {"sent": said, "shipped_on": said["date"], "reference": said["reference"]}
    rest = told.some("quantity", "consignee", "site", "itn", "mrn")
    yield "shipments", told.name, columns | rest | by
    drawn = {"account": "shipped", "quantity": said["quantity"], "recorded_at": told.at}
    yield "ledger_entries", told.name, drawn | {"value": _of_value(said)["value_amount"]}
    for serial in said["serials"]:
        unit = told.some("line", "consignee", "site") | {"shipped_on": said["date"]}
        yield "units", f"{told.name}/{serial}", unit


def _of_delivery(told: Told, _: Tables) -> Iterator[Row]:
    rest = told.some("reference", "arrived_on", "milestone", "quantity", "serials", "site")
    row = {"sent": told.said} | rest
    yield "deliveries", told.name, row | _by(told, "filed_by", "received_at", whole=True)


def _of_document(told: Told, tables: Tables) -> Iterator[Row]:
    if told.action == "document.filed":
        names = ("reference", "kind", "about", "issuer", "issued_on", "valid_until", "evidence")
        row = told.some(*names, "witnessed_by") | {"sent": told.but("license")}
        yield "documents", told.name, row | _by(told, "filed_by", "received_at", whole=True)
    else:
        row = told.some("ground", "effective_on") | {"verdict": told.what}
        row |= _by(told, "decided_by", "decided_at", whole=True)
        yield _next("document_decisions", told.name, tables, row)


def _of_custody(told: Told, tables: Tables) -> Iterator[Row]:
    license = told.name.removesuffix(f"/{told.said['reference']}")
    row = told.some("at", "disposition", "from_party", "to_party", "site", "authorized")
    row |= {"corrected_at": None} | _by(told, "filed_by", "received_at", whole=True)
    for serial in told.said["serials"]:
        yield "custody", f"{told.name}/{serial}", row | {"event": told.said["reference"]}
    if told.said.get("corrects"):
        before = f"{license}/{told.said['corrects']}/"
        for name in [one for one in tables["custody"] if one.startswith(before)]:
            yield "custody", name, {"corrected_at": told.at}


def _of_transfer(told: Told, _: Tables) -> Iterator[Row]:
    said = told.said
    if told.what == "asked":
        row = told.some("serials", "to_party", "to_site", "role", "ground") | {"sent": said}
        undecided = {"state": "asked", "decided_by": None, "acknowledged_at": None}
        yield (
            "transfers",
            told.name,
            row | undecided | _by(told, "asked_by", "asked_at", whole=True),
        )
    elif told.what == "acknowledged":
        acknowledged = {"said": said, "filed_by": told.actor}
        row = {"acknowledged_at": told.at, "acknowledgment": acknowledged}
        yield "transfers", told.name, row
    else:
        row = {"state": told.what, "decision_ground": said["ground"]}
        yield "transfers", told.name, row | _by(told, "decided_by", "decided_at", whole=True)


def _of_obligation(told: Told, _: Tables) -> Iterator[Row]:
    """Follow what was overdue or settled: of what is merely to come nobody is told."""
    said = told.said
    if "state" not in said:
        return
    if said["reached"] is not None:
        due_at = datetime.fromisoformat(said["due_at"]).astimezone(UTC)
        moment = due_at.isoformat(timespec="microseconds")
        name = f"{told.name}/{moment}/{said['reached']}"
        yield "rungs", name, {"recorded_at": told.at}
    if said["state"] in {"upcoming", "due"}:
        yield "obligations", told.name, None
    else:
        row = told.some("key", "slot", "item", "state", "due_at", "met_at", "ground")
        subject = next(iter(said["subject"].values()))
        yield "obligations", told.name, row | {"subject": subject}


def _of_waiver(told: Told, _: Tables) -> Iterator[Row]:
    name, row = f"{told.name}/{told.said['waiver']}", told.some("ground", "expires_on")
    if told.what == "proposed":
        row |= {"approved_by": None, "approved_at": None, "refused_by": None, "refused_at": None}
    yield "waivers", name, row | _by(told, f"{told.what}_by", f"{told.what}_at")


def _of_audit(told: Told, tables: Tables) -> Iterator[Row]:
    said = told.said
    if "passed" in said:
        for rung in [*said["passed"], told.what]:
            yield _next("audit_rungs", f"{told.name}/{rung}", tables, {"reached_at": told.at})
    if "id" not in said:
        return
    yield "audits", told.name, {"state": said["state"], **said["stands"]}
    step = told.some("step", "at", "by", "to", "state", "responsible") | {"sent": said["sent"]}
    yield "audit_steps", f"{told.name}/{said['id']}", step | {"recorded_at": told.at}
    if told.what == "rated":
        row = {name: said["sent"].get(name) for name in ("outcome", "reasons", "ground")}
        row |= {"reasons": row["reasons"] or []}
        rated = row | {"rated_by": said["by"], "rated_at": told.at}
        yield _next("audit_ratings", told.name, tables, rated)
        yield "audits", told.name, {"reasons": row["reasons"]}
    for id in said["sent"].get("reports", ()) if told.what == "reported" else ():
        yield "audit_reports", f"{told.name}/{id}", {"linked_by": said["by"], "linked_at": told.at}
    if "action" in said["sent"]:
        yield "audit_actions", f"{told.name}/{said['sent']['action']}", _action(told)


def _action(told: Told) -> dict[str, Any]:
    """Say what became of a recommended action."""
    sent, by, at = told.said["sent"], told.said["by"], told.said["at"]
    match told.what:
        case "action_recommended":
            words = {"text": sent["text"], "for_party": sent["for_party"]}
            open_ = {"done_by": None, "waived_by": None, "due_on": sent.get("due_on")}
            return words | open_ | {"recommended_by": by, "recommended_at": at}
        case "action_done":
            return {"done_by": by, "done_at": at, "done_note": sent["account"]}
    return {"waived_by": by, "waived_at": at, "waiver_ground": sent["ground"]}


def _of_sample(told: Told, _: Tables) -> Iterator[Row]:
    known = ("site", "units", "missing", "probability", "size", "commitment", "seed", "drawn")
    yield "draws", told.name, told.some(*known, "revealed_at", "committed_at")


def _of_party(told: Told, tables: Tables) -> Iterator[Row]:
    row = told.some("standing", "ground", "source") | {"since": told.at}
    row |= _by(told, "decided_by", "recorded_at", whole=True)
    yield _next("party_standings", told.name, tables, row)


def _of_screening(told: Told, tables: Tables) -> Iterator[Row]:
    if told.action == "screening.recorded":
        row = told.some("party", "lists", "screened_at")
        yield "screenings", told.name, row | _by(told, "screened_by", "received_at", whole=True)
        for id, hit in zip(told.said["hit_ids"], told.said["hits"], strict=True):
            yield "screening_hits", f"{told.name}/{id}", hit
    else:
        row = told.some("confirmed", "ground") | _by(told, "decided_by", "decided_at", whole=True)
        yield _next("hit_decisions", f"{told.name}/{told.said['hit']}", tables, row)


def _of_signing_key(told: Told, _: Tables) -> Iterator[Row]:
    if told.action == "signing_key.registered":
        row = told.but("label", "subject", "certificate")
        yield (
            "signing_keys",
            told.name,
            row | _by(told, "registered_by", "registered_at", whole=True),
        )
    elif told.action == "signing_key.revoked":
        row = told.some("ground") | _by(told, "revoked_by", "revoked_at", whole=True)
        yield "signing_key_revocations", told.name, row


def _of_person(told: Told, _: Tables) -> Iterator[Row]:
    known = told.some("role", "party", "administers_party")
    if told.kind != "person":
        return
    if told.what == "joined":
        yield "people", told.name, known | {"state": "active", "ended_at": None, "made_at": told.at}
    elif told.what == "role_changed":
        yield "people", told.name, known
    elif told.what == "ended":
        yield "people", told.name, {"state": "ended", "ended_at": told.at}


def _of_key(told: Told, _: Tables) -> Iterator[Row]:
    known = told.some("role", "party", "scopes", "expires_at")
    if told.what == "issued":
        yield "keys", told.name, known | {"created_at": told.at, "revoked_at": None}
    elif told.what == "rotated":
        rotated = {"rotated_at": told.at, "previous_until": told.said["previous_until"]}
        yield "keys", told.name, known | rotated
    elif told.what == "revoked":
        yield "keys", told.name, known | {"revoked_at": told.at}


def _by(told: Told, who: str, when: str, *, whole: bool = False) -> dict[str, Any]:
    """Name who did it and when: as the entry does."""
    return {who: told.actor if whole else told.who, when: told.at}


def _next(table: str, name: str, tables: Tables, row: dict[str, Any]) -> Row:
    """Number a row that is one of several, in the order they came."""
    number = 1
    while f"{name}/{number}" in tables[table]:
        number += 1
    return table, f"{name}/{number}", row


def _of_value(said: dict[str, Any]) -> dict[str, Any]:
    value = said.get("value") or {"amount": None, "currency": None}
    return {"value_amount": value["amount"], "value_currency": value["currency"]}


# By the whole action or its first word: most entries of a large journal are of a few actions.
FOLDS: dict[bytes, Callable[[Told, Tables], Iterator[Row]]] = {
    b"alert": _of_alert,
    b"amendment": _of_amendment,
    b"audit": _of_audit,
    b"custody": _of_custody,
    b"delivery": _of_delivery,
    b"deviation": _of_deviation,
    b"document": _of_document,
    b"key": _of_key,
    b"license": _of_license,
    b"obligation": _of_obligation,
    b"party": _of_party,
    b"person": _of_person,
    b"readings.filed": _of_readings,
    b"report.filed": _of_report,
    b"report.signed": _of_report,
    b"sample": _of_sample,
    b"screening": _of_screening,
    b"shipment.filed": _of_shipment,
    b"signing_key": _of_signing_key,
    b"transfer": _of_transfer,
    b"waiver": _of_waiver,
}
TABLES = frozenset(
    {
        "alerts",
        "amendments",
        "audit_actions",
        "audit_ratings",
        "audit_reports",
        "audit_rungs",
        "audit_steps",
        "audits",
        "batches",
        "conditions",
        "custody",
        "deliveries",
        "deviations",
        "document_decisions",
        "documents",
        "draws",
        "hit_decisions",
        "keys",
        "ledger_entries",
        "license_lines",
        "license_states",
        "licenses",
        "obligations",
        "party_standings",
        "people",
        "reports",
        "rungs",
        "screening_hits",
        "screenings",
        "shipments",
        "signatures",
        "signing_key_revocations",
        "signing_keys",
        "statements",
        "transfers",
        "units",
        "waivers",
    }
)


# An export


@dataclass
class Export:
    """What an export holds, its entries read already."""

    keys: list[str] = field(default_factory=list)
    signed: list[tuple[int, str, str]] = field(default_factory=list)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    numbered: int = 0
    leaves: bytearray = field(default_factory=bytearray)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    folded: Fold = field(default_factory=Fold)
    rollbacks: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    whole: bool = False

    def take(self, word: bytes, rest: bytes) -> None:
        """Take a line that is no entry; what this file does not know is left to newer ones."""
        match word:
            case b"row":
                table, name, row = json.loads(rest)
                self.rows[table][name] = row
            case b"table":
                self.rows[rest.decode()] = {}
            case b"tile":
                level, place, hashes = rest.decode().split()
                self.tiles[int(level), int(place)] = _unpacked(hashes)
            case b"checkpoint":
                self.signed.append(json.loads(rest))
            case b"key":
                self.keys.append(rest.decode())
            case b"numbered":
                self.numbered = int(rest)
            case b"waiting":
                self.waiting.add(json.loads(rest).partition(":")[2])
            case b"end":
                self.whole = True


def opened(path: Path) -> IO[bytes]:
    """Open an export, packed by gzip or not."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def read(file: IO[bytes], findings: Findings) -> Export:
    """Read an export; entries are checked on the way, up to the first that is bad."""
    export, entries = Export(), _Entries(findings)
    if file.readline() != HEAD:
        raise Unreadable("not an export of `endwatch journal export`")
    for line in file:
        word, _, rest = line.partition(b" ")
        if word == b"entry":
            entries.take(rest[:-1], export)
        else:
            export.take(word.strip(), rest.strip())
    if not export.whole:
        raise Unreadable("the export is cut short: its last line is missing")
    return export


class _Entries:
    """Checks entries one after the other: the number, and the body that the sealed form names."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.stopped = False

    def take(self, line: bytes, export: Export) -> None:
        """Check the next entry. After a missing one there is nothing to go on with."""
        if self.stopped:
            return
        entry, _, body = line.partition(b"\t")
        seq = len(export.leaves) // HASH + 1
        if b'"seq":%d,' % seq not in entry:
            self.findings.fault(seq, f"{MISSING}, or another stands in its place")
            self.stopped = True
            return
        export.leaves += sha256(b"\x00" + entry).digest()
        if b'"body":"sha256:%b"' % sha256(body).hexdigest().encode() not in entry:
            self.findings.fault(seq, "its body is not the one its sealed form names")
            return
        export.folded.take(entry, body)
        if entry.startswith(b'{"action":"journal.rolled_back"'):
            export.rollbacks.append((seq, json.loads(body)))


def check_export(path: Path, trust: Trust, findings: Findings) -> None:
    """Check an export whole."""
    with opened(path) as file:
        export = read(file, findings)
    trust.know(export.keys, findings)
    _compare_leaves(export, findings)
    tree = Tree(bytes(export.leaves))
    checkpoints = _checkpoints(export, trust, findings)
    _check_ends(export, tree.size, checkpoints, findings)
    past = _not_given_up(_past(checkpoints, trust), export, findings)
    bad = _check_roots(tree, [*checkpoints, *past], findings)
    if bad is None:
        signed = checkpoints[-1].size if checkpoints else 0
        findings.faults = [_blamed(seq, what, signed) for seq, what in findings.faults]
        if not findings.named(tree.size + 1, tree.size + 1):
            _check_tiles(export, tree, findings)
    elif not findings.named(*bad):
        first = max(bad[0], _rewritten_from(export, tree))
        findings.fault(first, f"from here to entry {bad[1]} at least one was changed")
    if findings.faults:
        findings.left_out.append("the tables, as the entries themselves are not whole")
    else:
        export.folded.compare(export.rows, export.waiting, findings)
    for seq, what in export.folded.signatures.faults:
        findings.fault(seq, what)
    if export.folded.signatures.held:
        held = export.folded.signatures.held
        findings.checked.append(f"{held:,} signatures on reports are by registered keys")
    _tell(findings, tree.size, checkpoints, trust)
    if not findings.faults:
        trust.state.remember(trust.keys, checkpoints[-1:])


def _compare_leaves(export: Export, findings: Findings) -> None:
    """Compare the hashes of entries with those the log's own tiles have of them."""
    for start in range(0, len(export.leaves), WIDTH * HASH):
        right = export.leaves[start : start + WIDTH * HASH]
        row = export.tiles.get((0, start // (WIDTH * HASH)), b"")
        if row[: len(right)] != right:
            for at in range(0, len(right), HASH):
                if row[at : at + HASH] != right[at : at + HASH]:
                    findings.fault((start + at) // HASH + 1, UNLIKE)


def _checkpoints(export: Export, trust: Trust, findings: Findings) -> list[Checkpoint]:
    """Read the checkpoints of an export, smallest first, and check who signed."""
    asked = trust.keys or export.keys or export.signed  # else the log has signed nothing yet
    if asked and not {key.text for key in trust.keys} & set(export.keys):
        findings.fault(0, "the log names none of the keys you trust")
    found = []
    for size, root, note in sorted(export.signed):
        one = Checkpoint.read(note)
        wrong = trust.check(one)
        if (one.size, one.root) != (size, _unpacked(root)):
            wrong = "the log keeps it under another size or root"
        if wrong:
            findings.fault(size, f"the checkpoint that ends with it: {wrong}")
        found.append(one)
    if len({one.size for one in found}) != len(found):
        findings.fault(0, "there are two checkpoints of one size")
    return found


def _past(checkpoints: Sequence[Checkpoint], trust: Trust) -> list[Checkpoint]:
    """Give the checkpoints that were seen of this log before, by whatever name it had then."""
    if not checkpoints:
        return [Checkpoint.read(note) for note in trust.state.notes]
    return [one for name in {one.origin for one in checkpoints} for one in trust.state.seen(name)]


def _not_given_up(
    past: Iterable[Checkpoint], export: Export, findings: Findings
) -> list[Checkpoint]:
    """Leave out what was seen of a log beyond where it admits to have been rolled back; note it."""
    ends: dict[str, int] = {}
    for seq, told in export.rollbacks:
        end = (told["to"]["signed"] or {"size": 0})["size"]
        ends |= {name: end for name in told["retired"] if name not in ends}
        before = f"from {told['from']['size']:,} " if told["from"] else ""
        findings.notes.append(
            f"entry {seq} tells that the log was rolled back {before}to {end:,} entries: "
            f"{told['ground']}"
        )
    kept = []
    for one in past:
        if one.size <= ends.get(one.origin, one.size):
            kept.append(one)
        else:
            findings.notes.append(
                f"you have seen {one.origin} sign for {one.size:,} entries; those after "
                f"{ends[one.origin]:,} were given up by that rollback"
            )
    return kept


def _check_ends(
    export: Export, size: int, checkpoints: Sequence[Checkpoint], findings: Findings
) -> None:
    """See that the journal ends where its head, its tree and its last checkpoint say."""
    hashed = sum(len(row) // HASH for (level, _), row in export.tiles.items() if level == 0)
    signed = checkpoints[-1].size if checkpoints else 0
    if findings.named(size + 1, size + 1):
        return
    if max(hashed, signed, export.numbered) > size:
        findings.fault(size + 1, f"{MISSING}: the journal once had more entries")
    elif hashed < size:
        findings.fault(hashed + 1, "the tree does not hold it")
    elif export.numbered < size:
        findings.fault(export.numbered + 1, "no number was given to it")
    elif signed < size:
        findings.notes.append(f"nothing is signed for entries {signed + 1} to {size}")


def _check_roots(
    tree: Tree, checkpoints: Iterable[Checkpoint], findings: Findings
) -> tuple[int, int] | None:
    """Compare the tree with every checkpoint; give the entries between which it was rewritten."""
    good = [0]
    for one in sorted(checkpoints, key=lambda one: one.size):
        if one.size > tree.size:
            findings.fault(
                tree.size + 1,
                f"{MISSING}: a checkpoint is signed for {one.size} entries; so the log was cut or "
                "rolled back",
            )
            return None
        if tree.root(one.size) != one.root:
            return max(size for size in good if size < one.size) + 1, one.size
        good.append(one.size)
    return None


def _check_tiles(export: Export, tree: Tree, findings: Findings) -> None:
    """See that the tiles above the leaves are those of the tree, no more and no fewer."""
    tiles = {key: row for key, row in export.tiles.items() if key[0] > 0}
    for level, place, right in _tiles_above(tree):
        row = tiles.pop((level, place), b"")
        if row != right:
            at = place * WIDTH + _first_difference(row, right)
            first = at * WIDTH**level + 1
            what = f"it is the first under a hash that is altered in tile {level}/{place}"
            findings.fault(min(first, tree.size), what)
    for level, place in tiles:
        findings.fault(0, f"tile {level}/{place} is of no entries")


def _tiles_above(tree: Tree) -> Iterator[tuple[int, int, bytes]]:
    """Make the tiles above the leaves."""
    for level, row in enumerate(tree.heights[::8]):
        for place in range(-(-len(row) // (WIDTH * HASH)) if level else 0):
            yield level, place, row[place * WIDTH * HASH : (place + 1) * WIDTH * HASH]


def _first_difference(row: bytes, right: bytes) -> int:
    """Count the hashes before the first that differs."""
    count = min(len(row), len(right)) // HASH
    cut = (slice(at * HASH, (at + 1) * HASH) for at in range(count))
    return next((at for at, part in enumerate(cut) if row[part] != right[part]), count)


def _rewritten_from(export: Export, tree: Tree) -> int:
    """Give the first entry under a tile that is still as it was before entries were changed."""
    for level, place, right in _tiles_above(tree):
        row = export.tiles.get((level, place), b"")
        if row != right:
            return (place * WIDTH + _first_difference(row, right)) * int(WIDTH**level) + 1
    return 1


def _blamed(seq: int, what: str, signed: int) -> tuple[int, str]:
    """Say which of entry and tile was changed: what is signed for is right."""
    if what == UNLIKE and seq <= signed:
        what = f"{what}: its tile is altered, the entry is as it was signed for"
    return seq, what


def _tell(findings: Findings, size: int, checkpoints: Sequence[Checkpoint], trust: Trust) -> None:
    findings.checked.append(f"{size:,} entries hash to the tree, in order and without gaps")
    findings.checked.append(f"{len(checkpoints):,} checkpoints are signed and fit the tree")
    if trust.state.notes:
        findings.checked.append(f"so do {len(trust.state.notes):,} seen before")
    if trust.witnesses:
        most = max((one.size for one in checkpoints if trust.witnessed(one)), default=0)
        findings.checked.append(f"witnesses signed for the first {most:,} entries")
        if not any(trust.witnessed(one) >= trust.quorum for one in checkpoints):
            findings.fault(0, f"no checkpoint is signed by {trust.quorum} of your witnesses")


# A receipt


def check_receipt(text: str, trust: Trust, findings: Findings) -> None:
    """Check the proof of one entry, which it holds, against a checkpoint, which it holds too."""
    head, _, note = text.partition("\n\n")
    mark, *lines = head.split("\n")
    extra = lines.pop(0).removeprefix("extra ") if lines and lines[0][:6] == "extra " else ""
    if mark != PROOF or not lines or not re.fullmatch("index (0|[1-9][0-9]*)", lines[0]):
        raise Unreadable("not a proof of https://c2sp.org/tlog-proof")
    entry, checkpoint = _unpacked(extra), Checkpoint.read(note)
    index, path = int(lines[0][6:]), [_unpacked(line) for line in lines[1:]]
    if not trust.keys:
        raise Unreadable("a proof names no key: give --key, or --state of a log seen before")
    wrong = trust.check(checkpoint)
    if wrong:
        findings.fault(index + 1, wrong)
    elif included(leaf_of(entry), index, checkpoint.size, path) != checkpoint.root:
        findings.fault(index + 1, "it is not in the tree that was signed for")
    elif trust.witnessed(checkpoint) < trust.quorum:
        findings.fault(index + 1, f"fewer than {trust.quorum} of your witnesses signed")
    for seen in trust.state.seen(checkpoint.origin):
        if seen.size == checkpoint.size and seen.root != checkpoint.root:
            findings.fault(index + 1, "another tree of the same size was signed for before")
    told = json.loads(entry)
    findings.checked.append(
        f"entry {told['seq']}: {told['action']} of {told['subject']} by {told['actor']}, recorded "
        f"{told['recorded_at']}, body {told['body']}"
    )
    if not findings.faults:
        trust.state.remember(trust.keys, [checkpoint])


# A running service


class Service:
    """The public tiles of a running service; with an API key its entry bundles too."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/").removesuffix("/log")
        self.token = token

    def get(self, path: str, *, secret: bool = False) -> bytes:
        """Fetch a file of the log. Raises Unreadable."""
        request = urllib.request.Request(f"{self.url}/log/{path}")  # noqa: S310 given by the caller
        if secret and self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                found: bytes = answer.read(LARGEST_ANSWER)
                return found
        except (urllib.error.URLError, OSError) as error:
            raise Unreadable(f"{self.url}/log/{path}: {error}") from error

    def tile(self, level: str, place: int, width: int, *, secret: bool = False) -> bytes:
        """Fetch a tile or entry bundle of a width."""
        digits = f"{place:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        partial = f".p/{width}" if width < WIDTH else ""
        return self.get(f"tile/{level}/{path}{partial}", secret=secret)


def check_service(url: str, token: str | None, trust: Trust, findings: Findings) -> None:
    """Fetch all leaf hashes of a running service, and check its checkpoint with them."""
    service = Service(url, token)
    checkpoint = Checkpoint.read(service.get("checkpoint").decode())
    trust.know([service.get("key").decode()], findings)
    wrong = trust.check(checkpoint)
    if wrong:
        findings.fault(checkpoint.size, f"the checkpoint that ends with it: {wrong}")
    leaves = bytearray()
    for place in range(-(-checkpoint.size // WIDTH)):
        width = min(WIDTH, checkpoint.size - place * WIDTH)
        hashes = service.tile("0", place, width)
        if len(hashes) != width * HASH:
            raise Unreadable(f"tile 0/{place} is not of {width} hashes")
        leaves += hashes
        if token:
            _check_bundle(
                service.tile("entries", place, width, secret=True), place, hashes, findings
            )
    tree = Tree(bytes(leaves))
    bad = _check_roots(tree, [checkpoint, *_past([checkpoint], trust)], findings)
    if bad is not None:
        findings.fault(bad[0], f"from here to entry {bad[1]} at least one was changed")
    _tell(findings, tree.size, [checkpoint], trust)
    if not findings.faults:
        trust.state.remember(trust.keys, [checkpoint])


def _check_bundle(bundle: bytes, place: int, hashes: bytes, findings: Findings) -> None:
    at = 0
    for number in range(len(hashes) // HASH):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entry = bundle[at + 2 : at + 2 + length]
        at += 2 + length
        if leaf_of(entry) != hashes[number * HASH : (number + 1) * HASH]:
            findings.fault(place * WIDTH + number + 1, UNLIKE)


# The command


def verify(
    source: str,
    *,
    keys: Sequence[str] = (),
    witnesses: Sequence[str] = (),
    quorum: int | None = None,
    state: Path | None = None,
    token: str | None = None,
) -> Findings:
    """Check a source. Raises Unreadable, OSError."""
    past, findings = State(state), Findings()
    needed = quorum if quorum is not None else int(bool(witnesses))
    trusted = [Key.read(text) for text in dict.fromkeys([*keys, *past.keys])]
    trust = Trust(trusted, [Key.read(text) for text in witnesses], needed, past)
    if source.startswith(("http://", "https://")):
        check_service(source, token, trust, findings)
        return findings
    path = Path(source)
    with path.open("rb") as file:
        start = file.read(len(PROOF))
    if start == PROOF.encode():
        check_receipt(path.read_text(), trust, findings)
    else:
        check_export(path, trust, findings)
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the arguments name, and say what was found."""
    parser = argparse.ArgumentParser(
        prog="verify.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="an export, a proof, or the address of a service")
    parser.add_argument("--key", action="append", default=[], help="verifier key of the log")
    parser.add_argument("--witness", action="append", default=[], help="verifier key of a witness")
    parser.add_argument("--quorum", type=int, help="witnesses that must have signed [default: 1]")
    parser.add_argument("--state", type=Path, help="file of what was seen before; kept up to date")
    parser.add_argument("--token", help="API key, to check a service's entries too")
    given = parser.parse_args(arguments)
    return run(
        given.source,
        keys=given.key,
        witnesses=given.witness,
        quorum=given.quorum,
        state=given.state,
        token=given.token,
    )


def run(source: str, **options: Any) -> int:
    """Check a source and print what was found; the exit code says whether all is well."""
    try:
        findings = verify(source, **options)
    except (Unreadable, OSError, ValueError, KeyError, EOFError) as error:
        print(f"cannot be checked: {source}: {error}", file=sys.stderr)
        return UNREADABLE
    for line in findings.told():
        print(line)
    return BAD if findings.faults else WELL


if __name__ == "__main__":
    sys.exit(main())
