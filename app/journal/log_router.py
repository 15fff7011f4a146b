"""The sealed log over HTTP, as https://c2sp.org/tlog-tiles lays it out, and the proofs made of it.

Hashes are public, what was filed is not: entry bundles, which hold who did what to what, are for
those who may read the whole journal.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from app.access.router import Public, Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.journal import disclosures, log, witnesses
from app.journal.disclosures import DisclosureOut, DisclosureUnknown
from app.journal.log import EntryUnknown, NothingSigned, Proof, ReceiptUnknown, TileUnknown
from app.journal.witnesses import CheckpointUnknown, CosignatureUnfit
from app.wire import problems

router = APIRouter(tags=["journal"])

WholeReader = Annotated[Actor, may(Role.AUDITOR, Role.SUPERVISOR, Role.LICENSING_OFFICER)]
JournalReader = Annotated[
    Actor, may(Role.AUDITOR, Role.SUPERVISOR, Role.LICENSING_OFFICER, Role.EXPORTER)
]
Seq = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the entry")]
Level = Annotated[int, Path(ge=0, le=63, description="Level of the tile")]
Place = Annotated[str, Path(description="Place of the tile, as `x001/x234/067` or `067.p/112`")]

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
FOR_READERS = {"Cache-Control": "private, no-store"}
FRESH = {"Cache-Control": "no-cache"}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text"}
}
HASHES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "Bytes"}
}
ON_ITS_WAY: dict[int | str, dict[str, Any]] = {
    202: {"description": "Recorded, and not sealed yet; ask again after `Retry-After` seconds."}
}


def _text(text: str) -> Response:
    return Response(text, headers=FRESH, media_type="text/plain; charset=utf-8")


def _octets(octets: bytes, headers: dict[str, str]) -> Response:
    return Response(octets, headers=headers, media_type="application/octet-stream")


def _proof(proof: Proof | None) -> Response:
    if proof is not None:
        return _text(str(proof))
    return Response(
        "Recorded, and not sealed yet. It takes about 100 ms while a scheduler with the log's key "
        "runs; ask again.\n",
        202,
        FRESH | {"Retry-After": "1"},
        "text/plain; charset=utf-8",
    )


@router.get(
    "/log/key",
    dependencies=[Public],
    response_class=Response,
    responses={**TEXT, **problems(NothingSigned)},
)
def key(session: SessionDep) -> Response:
    """Read the key that signs for the journal: a verifier key, one line. Note it while all is well."""
    return _text(f"{log.key(session)}\n")


@router.get(
    "/log/checkpoint",
    dependencies=[Public],
    response_class=Response,
    responses={**TEXT, **problems(NothingSigned)},
)
def checkpoint(session: SessionDep) -> Response:
    """Read the newest checkpoint: how many entries there are, and the hash of all of them."""
    return _text(log.checkpoint(session))


@router.get(
    "/log/cosigned-checkpoint",
    dependencies=[Public],
    response_class=Response,
    responses={**TEXT, **problems(NothingSigned)},
)
def cosigned(session: SessionDep) -> Response:
    """Read the newest checkpoint that a witness signed, too."""
    return _text(log.checkpoint(session, cosigned=True))


@router.post(
    "/log/cosignatures",
    dependencies=[Public],
    response_class=Response,
    responses={**TEXT, **problems(CheckpointUnknown, CosignatureUnfit)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
def cosign(request: Request, note: witnesses.NoteDep, session: SessionDep, now: Now) -> Response:
    """Hand in a checkpoint with the cosignatures of witnesses the authority named, and get it back.

    Each says that its witness saw this tree grow from every earlier one (`cosignature/v1`).
    """
    named = request.app.state.settings.log_witnesses
    return _text(witnesses.keep(session, note, named, now=now))


@router.get(
    "/log/tile/entries/{place:path}",
    response_class=Response,
    responses={**HASHES, **problems(TileUnknown)},
)
def bundle(place: Place, reader: WholeReader, session: SessionDep) -> Response:
    """Read the sealed forms of up to 256 entries, each behind its length in two bytes."""
    del reader
    return _octets(log.bundle(session, log.wanted(place)), FOR_READERS)


@router.get(
    "/log/tile/{level}/{place:path}",
    dependencies=[Public],
    response_class=Response,
    responses={**HASHES, **problems(TileUnknown)},
)
def tile(level: Level, place: Place, session: SessionDep) -> Response:
    """Read a tile of the tree: up to 256 hashes of 32 bytes."""
    return _octets(log.tile(session, level, log.wanted(place)), FOREVER)


@router.get(
    "/v1/journal/{seq}/proof",
    response_class=Response,
    responses={**TEXT, **ON_ITS_WAY, **problems(EntryUnknown)},
)
def proof(seq: Seq, reader: JournalReader, session: SessionDep) -> Response:
    """Prove that an entry is sealed (C2SP tlog-proof); `endwatch verify` checks it offline."""
    return _proof(log.proof_of(session, seq, party=reader.reads_only))


@router.get("/v1/journal/{seq}/disclosures", responses=problems(DisclosureUnknown))
def disclosed(seq: Seq, reader: WholeReader, session: SessionDep) -> list[DisclosureOut]:
    """Read what the commitments in an entry stand for: what is about a person, unless erased."""
    del reader
    return disclosures.listed(session, seq)


@router.get(
    "/v1/receipts/{id}",
    response_class=Response,
    responses={**TEXT, **ON_ITS_WAY, **problems(ReceiptUnknown)},
)
def receipt(id: UUID, reader: Reader, session: SessionDep) -> Response:
    """Fetch the proof of a filing by the receipt in its answer (C2SP tlog-proof).

    Keep it: it shows to anybody, offline, what was filed and when, whatever becomes of the service.
    """
    return _proof(log.proof_by(session, id, party=reader.reads_only))
