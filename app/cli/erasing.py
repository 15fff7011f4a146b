"""`endwatch journal erase` and `new-key`: what people decide about the journal, told by it."""

from datetime import datetime

from app.access.rules import Actor, Role
from app.cli import databases
from app.cli.troubles import WrongUse
from app.journal import disclosures, signing
from app.settings import Settings

ACTOR = Actor("cli", Role.ADMINISTRATOR)


def run(settings: Settings, seq: int, field: str, *, ground: str, now: datetime) -> int:
    """Erase what a field of an entry stood for."""
    with databases.sessions(settings) as sessions, sessions() as session:
        disclosures.erase(session, seq, field, ground=ground, actor=ACTOR.name, now=now)
        session.commit()
    print(f"what {field!r} of entry {seq} stood for is erased; every proof goes on to hold")
    return 0


def new_key(settings: Settings) -> int:
    """Make a signing key where there is none, and print its public half."""
    path = signing.key_file(databases.data_folder(settings), settings.log_key_file)
    try:
        signer = signing.make(path, settings.log_origin)
    except signing.KeyFileTaken as error:
        raise WrongUse(f"{error}; move it away first if another is to follow it") from error
    print(signer.verifier)
    return 0
