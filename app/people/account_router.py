"""One's own account, over HTTP. Only a person who is signed in is let in, never a key."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app.clock import Now
from app.database import SessionDep
from app.people import account, passkeys, sessions
from app.people.account import PasswordWrong
from app.people.ceremonies import PasskeyDomainDiffers, PasskeyRefused, PasskeyUnreadable
from app.people.knocking import (
    AlsoHalfWay,
    PlaceDep,
    Recently,
    RecentlyOrHalfWay,
    SettingsDep,
    SignedIn,
    VisitorDep,
    respond,
    shown_once,
)
from app.people.outcomes import SignInThrottled
from app.people.passkeys import LastSecondFactor, PasskeyKnown, PasskeyUnknown
from app.people.passwords import PasswordTooCommon
from app.people.rules import (
    ForeignOrigin,
    SessionUnknown,
    SignInTooOld,
    SignInUnfinished,
)
from app.people.schemas import (
    AccountOut,
    OptionsOut,
    PasskeyIn,
    PasskeyMade,
    PasskeyNameIn,
    PasskeyOut,
    PasswordIn,
    RecoveryCodesOut,
    SessionOut,
    SessionsEnded,
    SignInOut,
)
from app.wire import problems

router = APIRouter(prefix="/v1/account", tags=["people"])

Id = Annotated[str, Path(max_length=40)]
CHANGE: tuple[Any, ...] = (ForeignOrigin, SignInTooOld, SignInUnfinished)


@router.get("", responses=problems(SignInUnfinished))
def show(who: AlsoHalfWay, settings: SettingsDep, session: SessionDep) -> AccountOut:
    """Show who you are here, how far you are signed in, and what you sign in with."""
    return account.show(session, who, settings)


@router.post(
    "/password",
    response_model=SignInOut,
    responses=problems(*CHANGE, PasswordWrong, PasswordTooCommon, SignInThrottled),
)
def change_password(
    given: PasswordIn,
    who: Recently,
    visitor: VisitorDep,
    settings: SettingsDep,
    session: SessionDep,
    now: Now,
) -> Response:
    """Change your password. All your sessions end; this browser is signed in anew."""
    return respond(account.change_password(session, given, visitor, settings, who=who, now=now))


@router.get("/passkeys", responses=problems(SignInUnfinished))
def list_passkeys(who: SignedIn, session: SessionDep) -> list[PasskeyOut]:
    """List your passkeys, oldest first."""
    return [PasskeyOut.model_validate(one) for one in passkeys.of(session, who.key)]


@router.post("/passkeys/options", responses=problems(*CHANGE, PasskeyDomainDiffers))
def ask_for_passkey(
    who: RecentlyOrHalfWay, place: PlaceDep, session: SessionDep, now: Now
) -> OptionsOut:
    """Begin to register a passkey: what the authenticator is asked."""
    return OptionsOut(options=account.ask_for_passkey(session, who, place, now=now))


@router.post(
    "/passkeys",
    response_model=PasskeyMade,
    status_code=201,
    responses=problems(
        *CHANGE, PasskeyUnreadable, PasskeyRefused, PasskeyKnown, PasskeyDomainDiffers
    ),
)
def add_passkey(
    given: PasskeyIn,
    who: RecentlyOrHalfWay,
    visitor: VisitorDep,
    settings: SettingsDep,
    session: SessionDep,
    now: Now,
) -> Response:
    """Register a passkey. The first brings recovery codes; where it was needed, it signs you in."""
    made, whole = account.add_passkey(session, given, visitor, settings, who=who, now=now)
    return shown_once(made, whole)


@router.post("/passkeys/{id}/name", responses=problems(*CHANGE, PasskeyUnknown))
def rename_passkey(id: Id, given: PasskeyNameIn, who: SignedIn, session: SessionDep) -> PasskeyOut:
    """Give a passkey another name."""
    return PasskeyOut.model_validate(passkeys.rename(session, id, given.name, who=who))


@router.post(
    "/passkeys/{id}/removal", responses=problems(*CHANGE, PasskeyUnknown, LastSecondFactor)
)
def remove_passkey(
    id: Id, who: Recently, settings: SettingsDep, session: SessionDep, now: Now
) -> PasskeyOut:
    """End a passkey. People of the authority keep one, unless passkeys are optional."""
    required = settings.passkeys == "required"
    return PasskeyOut.model_validate(
        passkeys.remove(session, id, who=who, required=required, now=now)
    )


@router.post("/recovery-codes", status_code=201, responses=problems(*CHANGE))
def make_recovery_codes(
    who: Recently, session: SessionDep, now: Now, response: Response
) -> RecoveryCodesOut:
    """Make ten new recovery codes, shown this once. Those before are void."""
    response.headers["Cache-Control"] = "no-store"
    codes = account.new_recovery_codes(session, who=who, now=now)
    return RecoveryCodesOut(recovery_codes=codes)


@router.get("/sessions", responses=problems(SignInUnfinished))
def list_sessions(
    who: SignedIn, settings: SettingsDep, session: SessionDep, now: Now
) -> list[SessionOut]:
    """List the browsers in which you are signed in, the one seen last first."""
    rows = sessions.listed(session, who.key, settings, now=now)
    return [account.show_session(row, who) for row in rows]


@router.post("/sessions/revocation", responses=problems(ForeignOrigin, SignInUnfinished))
def end_other_sessions(who: SignedIn, session: SessionDep, now: Now) -> SessionsEnded:
    """Sign out in all other browsers."""
    return SessionsEnded(ended=account.end_other_sessions(session, who=who, now=now))


@router.post(
    "/sessions/{id}/revocation",
    responses=problems(ForeignOrigin, SignInUnfinished, SessionUnknown),
)
def end_session(id: Id, who: SignedIn, session: SessionDep, now: Now) -> SessionsEnded:
    """Sign out in one browser."""
    return SessionsEnded(ended=account.end_session(session, id, who=who, now=now))
