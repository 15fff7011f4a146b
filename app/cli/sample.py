"""`endwatch sample`: how many units to sight, and whether a draw was honest.

For whoever is inspected as much as for inspectors: it needs no database and no account.
"""

import csv
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app.audits import sampling
from app.cli.tables import FileTrouble
from app.cli.troubles import WrongUse
from app.errors import Invalid

HONEST, WRONG = 0, 1


class Receipt(BaseModel):
    """What is needed of a revealed sample; the service tells more."""

    model_config = ConfigDict(strict=True)

    audit: str
    units: int
    missing: int
    probability: str
    size: int
    commitment: str
    seed: str
    list_digest: str
    serials: list[str]
    drawn: list[str]


def size(units: int, missing: int, probability: str) -> int:
    """Print the smallest sample that shows a missing unit with this probability."""
    print(sampling.size(units, missing, sampling.chance(probability)))
    return HONEST


def draw(seed: str, path: Path, many: int | None) -> int:
    """Print the units drawn, one a line, in the order drawn; by default all of them."""
    serials = sampling.listed(list(_serials(path)))
    for serial in sampling.draw(_seed(seed), serials, len(serials) if many is None else many):
        print(serial)
    return HONEST


def _seed(text: str) -> bytes:
    """Read a seed as the receipt tells it."""
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != sampling.SEED_BYTES:
        raise WrongUse(f"a seed is {2 * sampling.SEED_BYTES} digits of hex; this one is not")
    return seed


def _serials(path: Path) -> Iterator[str]:
    """Read serials from a file: the column `serial`, or without a heading the first of each line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileTrouble(f"{path.name}: no UTF-8 file of serial numbers") from error
    column = 0
    if rows and "serial" in rows[0]:
        column = rows[0].index("serial")
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) <= column:
            raise FileTrouble(f"{path.name}: record {number} has no serial number")
        yield row[column].strip()


def verify(path: Path, commitment: str | None) -> int:
    """Check a receipt, and that it is bound by the commitment that was noted before, if given."""
    receipt = _receipt(path)
    faults = _told(receipt, commitment)
    for fault in faults:
        print(f"endwatch: {fault}", file=sys.stderr)
    if faults:
        return WRONG
    print(
        f"{path.name}: an honest draw of {receipt.size:,} of {receipt.units:,} units; "
        f"with {receipt.missing:,} missing it shows one with probability {receipt.probability} or more"
    )
    if commitment is None:
        print(f"compare its commitment with the one you were told before: {receipt.commitment}")
    return HONEST


def _receipt(path: Path) -> Receipt:
    try:
        told: Any = json.loads(path.read_bytes())
        return Receipt.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, first["loc"]))
        raise FileTrouble(
            f"{path.name}: no receipt of a revealed sample; {place or 'it'}: {first['msg']}"
        ) from error
    except ValueError as error:
        raise FileTrouble(f"{path.name}: not JSON") from error


def _told(receipt: Receipt, commitment: str | None) -> list[str]:
    """Tell what does not fit; what cannot be worked out at all does not fit either."""
    try:
        return list(_faults(receipt, commitment))
    except Invalid as error:
        return [error.detail]
    except WrongUse as error:
        return [str(error)]


def _faults(receipt: Receipt, commitment: str | None) -> Iterator[str]:
    """Tell everything that does not fit, each thing in itself."""
    serials, seed = sampling.listed(receipt.serials), _seed(receipt.seed)
    probability = sampling.chance(receipt.probability)
    digest = sampling.list_digest(serials)
    if len(serials) != receipt.units:
        yield f"the list holds {len(serials):,} units, not {receipt.units:,}"
        return
    if digest.hex() != receipt.list_digest:
        yield f"the list is not the one of the digest; its own is {digest.hex()}"
    needed = sampling.size(receipt.units, receipt.missing, probability)
    if needed != receipt.size:
        yield f"{needed:,} units must be drawn for that probability, not {receipt.size:,}"
    bound = _bound(receipt, seed, digest, probability)
    if bound != receipt.commitment:
        yield f"the commitment binds something else; this would be {bound}"
    if commitment is not None and commitment.lower() != receipt.commitment:
        yield "the commitment is not the one you were told before"
    fits = 0 <= receipt.size <= len(serials)
    if not fits or sampling.draw(seed, serials, receipt.size) != receipt.drawn:
        yield "the seed draws other units than those of the receipt"


def _bound(receipt: Receipt, seed: bytes, digest: bytes, probability: Fraction) -> str:
    return sampling.commitment(
        receipt.audit,
        seed,
        digest,
        units=receipt.units,
        missing=receipt.missing,
        probability=probability,
        size=receipt.size,
    ).hex()
