"""What people send about their accounts, and what they are told."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from app.access.rules import Role
from app.people import passwords, rules
from app.people.rules import SignInState
from app.wire import Moment, Out, Strict

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
SignInName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[^\s@]+@[^\s@]+$", max_length=254),
    Field(description="Like an e-mail address; upper and lower case are the same"),
]
Party = Annotated[str, StringConstraints(min_length=1, max_length=100)]
NewPassword = Annotated[
    str,
    Field(
        min_length=passwords.SHORTEST,
        max_length=passwords.LONGEST,
        description="Any characters; taken as it is",
    ),
]
GivenPassword = Annotated[str, Field(max_length=passwords.LONGEST)]
Credential = Annotated[
    dict[str, Any], Field(description="What `navigator.credentials` gave, by its `toJSON()`")
]
OPTIONS = "For `navigator.credentials`, by `PublicKeyCredential.parse…OptionsFromJSON()`"


class SignInIn(Strict):
    """Who signs in, with a password."""

    sign_in: Annotated[str, Field(max_length=254)]
    password: GivenPassword

    @field_validator("sign_in")
    @classmethod
    def _folded(cls, value: str) -> str:
        return rules.folded(value)


class CredentialIn(Strict):
    """A passkey's answer."""

    credential: Credential


class RecoveryCodeIn(Strict):
    """A recovery code; dashes, spaces and case do not matter."""

    code: Annotated[str, Field(max_length=100)]


class AcceptanceIn(Strict):
    """Who was invited says who they are; for a reset the name may be left out."""

    token: Annotated[str, Field(max_length=200)]
    name: Name | None = None
    password: NewPassword


class SignInOut(Out):
    """How far the sign-in has come. `options` are for the passkey that is needed next."""

    state: SignInState
    options: Annotated[dict[str, Any] | None, Field(description=OPTIONS)] = None


class OptionsOut(Out):
    """What an authenticator is asked."""

    options: Annotated[dict[str, Any], Field(description=OPTIONS)]


class SessionOut(Out):
    """A browser in which you are signed in."""

    id: str
    method: str
    browser: str
    made_at: Moment
    authenticated_at: Moment
    seen_at: Moment
    ends_at: Moment
    own: bool = False


class PasskeyOut(Out):
    """A passkey. `backed_up`: its maker keeps copies, on other devices or in a cloud."""

    id: str
    name: str
    backed_up: bool
    made_at: Moment
    used_at: Moment | None


class PasskeyIn(Strict):
    """A passkey that was just made, and what you call it."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    credential: Credential


class PasskeyNameIn(Strict):
    """What you call a passkey."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class PasskeyMade(Out):
    """A new passkey; with your first come recovery codes, shown this once."""

    state: SignInState
    passkey: PasskeyOut
    recovery_codes: list[str] | None


class RecoveryCodesOut(Out):
    """New recovery codes, shown this once; the ones before are void."""

    recovery_codes: list[str]


class PasswordIn(Strict):
    """The password as it is, and as it shall be."""

    current_password: GivenPassword
    new_password: NewPassword


class PersonOut(Out):
    """A person with an account."""

    id: str
    sign_in: str
    name: str
    role: Role
    party: str | None
    administers_party: bool
    state: str
    made_at: Moment
    made_by: str
    ended_at: Moment | None


class AccountOut(Out):
    """You, as you are signed in."""

    person: PersonOut
    state: SignInState
    session: SessionOut
    passkeys: list[PasskeyOut]
    passkey_required: bool
    recovery_codes_left: int


class SessionsEnded(Out):
    """Which sessions were ended."""

    ended: list[str]


class InvitationIn(Strict):
    """Whom you invite, and what they will be."""

    sign_in: SignInName
    role: Role
    party: Party | None = None
    administers_party: bool = False
    name: Name | None = None

    @field_validator("sign_in")
    @classmethod
    def _folded(cls, value: str) -> str:
        return rules.folded(value)


class InvitationOut(Out):
    """An invitation that waits, was accepted, was revoked or has expired."""

    id: str
    sign_in: str
    role: Role
    party: str | None
    administers_party: bool
    person_id: Annotated[str | None, Field(description="Whose account begins anew, of a reset")]
    made_at: Moment
    made_by: str
    expires_at: Moment
    accepted_at: Moment | None
    revoked_at: Moment | None


class InvitationMade(InvitationOut):
    """A new invitation with its token, shown this once: hand it over yourself."""

    token: str


class RoleIn(Strict):
    """What a person shall be from now on."""

    role: Role
    party: Party | None = None
    administers_party: bool = False


class PersonEnded(Out):
    """The account that has ended, and the keys that person made, which still work."""

    person: PersonOut
    keys: list[str]


class KeyIn(Strict):
    """A key for a machine. It ends in at most 400 days; without scopes it does all its role may."""

    role: Role
    party: Party | None = None
    label: Annotated[str, Field(max_length=200)] = ""
    scopes: list[str] | None = Field(default=None, min_length=1, max_length=100)
    expires_days: int = Field(ge=1, le=400)


class RotationIn(Strict):
    """For how long the secret before goes on to work: at most seven days."""

    grace_hours: int = Field(default=24, ge=0, le=168)


class KeyOut(Out):
    """A machine's key, without its secret."""

    id: str
    role: Role
    party: str | None
    label: str
    scopes: list[str] | None
    created_at: Moment
    made_by: str | None
    expires_at: Moment | None
    rotated_at: Moment | None
    previous_until: Moment | None
    revoked_at: Moment | None


class KeyMade(KeyOut):
    """A key with its token, shown this once."""

    token: str
