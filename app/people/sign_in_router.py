"""Signing in and out, over HTTP."""

from typing import Any

from fastapi import APIRouter, Response

from app.access.router import Public
from app.clock import Now
from app.database import SessionDep
from app.errors import Conflict, Invalid
from app.people import accepting, account, invitations, sign_in
from app.people.ceremonies import PasskeyDomainDiffers, PasskeyRefused, PasskeyUnreadable
from app.people.knocking import (
    AlsoHalfWay,
    HalfWay,
    SettingsDep,
    VisitorDep,
    respond,
    signed_out,
)
from app.people.outcomes import SignInThrottled
from app.people.passkeys import PasskeyCopied
from app.people.rules import ForeignOrigin, SessionMissing
from app.people.schemas import (
    AcceptanceIn,
    CredentialIn,
    OptionsOut,
    RecoveryCodeIn,
    SignInIn,
    SignInOut,
)
from app.people.sessions import ProviderNeeded
from app.people.sign_in import RecoveryCodeRefused, SignInRefused
from app.wire import problems
from app.wire.bodies import BodyTooLarge
from app.wire.problems import MalformedJson

router = APIRouter(prefix="/v1", tags=["people"])

ANY: tuple[Any, ...] = (ForeignOrigin, MalformedJson, BodyTooLarge, Invalid, Conflict)


@router.post(
    "/sign-in",
    dependencies=[Public],
    response_model=SignInOut,
    responses=problems(*ANY, SignInRefused, ProviderNeeded, SignInThrottled, PasskeyDomainDiffers),
)
def with_password(
    given: SignInIn, visitor: VisitorDep, settings: SettingsDep, session: SessionDep, now: Now
) -> Response:
    """Sign in with name and password. The cookie it sets opens the rest, or asks for a passkey."""
    return respond(sign_in.with_password(session, given, visitor, settings, now=now))


@router.post(
    "/sign-in/passkey/options",
    dependencies=[Public],
    responses=problems(*ANY, PasskeyDomainDiffers),
)
def ask(visitor: VisitorDep, settings: SettingsDep, session: SessionDep, now: Now) -> OptionsOut:
    """Begin to sign in with a passkey alone: what its authenticator is asked."""
    options = sign_in.ask_for_passkey(session, visitor, settings, now=now)
    return OptionsOut(options=options)


@router.post(
    "/sign-in/passkey",
    dependencies=[Public],
    response_model=SignInOut,
    responses=problems(*ANY, PasskeyRefused, PasskeyCopied, PasskeyUnreadable, ProviderNeeded),
)
def with_passkey(
    given: CredentialIn,
    visitor: VisitorDep,
    half_way: HalfWay,
    settings: SettingsDep,
    session: SessionDep,
    now: Now,
) -> Response:
    """Sign in with a passkey: after the password, or alone where it asked for finger or PIN."""
    return respond(
        sign_in.with_passkey(session, given, visitor, settings, half_way=half_way, now=now)
    )


@router.post(
    "/sign-in/recovery-code",
    dependencies=[Public],
    response_model=SignInOut,
    responses=problems(*ANY, SessionMissing, RecoveryCodeRefused, ProviderNeeded, SignInThrottled),
)
def with_recovery_code(
    given: RecoveryCodeIn,
    visitor: VisitorDep,
    half_way: HalfWay,
    settings: SettingsDep,
    session: SessionDep,
    now: Now,
) -> Response:
    """Sign in with a recovery code, after the password, where the passkey was lost."""
    return respond(
        sign_in.with_recovery_code(
            session, given.code, visitor, settings, half_way=half_way, now=now
        )
    )


@router.post(
    "/invitations/acceptance",
    dependencies=[Public],
    response_model=SignInOut,
    responses=problems(
        *ANY,
        invitations.InvitationUnknown,
        invitations.InvitationUsed,
        invitations.InvitationRevoked,
        invitations.InvitationExpired,
        invitations.SignInNameTaken,
        ProviderNeeded,
        SignInThrottled,
    ),
)
def accept(
    given: AcceptanceIn, visitor: VisitorDep, settings: SettingsDep, session: SessionDep, now: Now
) -> Response:
    """Accept an invitation, or a reset, by a password of your own; it signs you in."""
    return respond(accepting.accept(session, given, visitor, settings, now=now))


@router.post("/sign-out", status_code=204, responses=problems(ForeignOrigin))
def sign_out(who: AlsoHalfWay, session: SessionDep, now: Now) -> Response:
    """Sign out: the session ends, and its cookie opens nothing any more."""
    account.end_session(session, who.session, who=who, now=now)
    return signed_out(Response(status_code=204))
