"""A party's record, over HTTP. It lies here because what a party owes is known no lower."""

from fastapi import APIRouter

from app.access.router import Reader
from app.database import SessionDep
from app.obligations import dossiers
from app.obligations.schemas import PartyOut
from app.wire import problems

router = APIRouter(prefix="/v1/parties", tags=["parties"])


@router.get("/{reference}", responses=problems(dossiers.PartyUnknown))
def read(reference: str, reader: Reader, session: SessionDep) -> PartyOut:
    """Read how a party stands and why, where it takes part, what is owed and what is open."""
    return dossiers.read(session, reference, party=reader.reads_only)
