"""How people come to Endwatch in tests: invited, with a password, with a passkey."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from tests.conftest import Browser, Door
from tests.doors.authenticators import Authenticator

PASSWORD = "violet anchor teapot meadow"


@dataclass
class Somebody:
    """A person with a browser, a password, and perhaps a passkey with its recovery codes."""

    browser: Browser
    sign_in: str
    id: str = ""
    password: str = PASSWORD
    passkey: Authenticator | None = None
    codes: list[str] = field(default_factory=list)

    def enter(self, browser: Browser | None = None) -> Any:
        """Sign in with the password, in this browser or another."""
        given = {"sign_in": self.sign_in, "password": self.password}
        return (browser or self.browser).post("/v1/sign-in", given)

    def finish(self, options: dict[str, Any], browser: Browser | None = None) -> Any:
        """Let the passkey answer what it was asked."""
        assert self.passkey is not None
        given = {"credential": self.passkey.sign(options)}
        return (browser or self.browser).post("/v1/sign-in/passkey", given)


def invited(by: Browser | Door, role: Role | str, sign_in: str, **more: Any) -> dict[str, Any]:
    """Invite somebody."""
    body = {"role": role, "sign_in": sign_in} | more
    made = by.post("/v1/people/invitations", body)
    assert made.status_code == 201, made.text
    told: dict[str, Any] = made.json()
    return told


def accepted(browser: Browser, token: str, **more: Any) -> Any:
    """Accept an invitation."""
    body = {"token": token, "name": "Ada Example", "password": PASSWORD} | more
    return browser.post("/v1/invitations/acceptance", body)


def registered(browser: Browser, name: str = "key ring", **made: Any) -> tuple[Authenticator, Any]:
    """Register a new passkey."""
    asked = browser.post("/v1/account/passkeys/options")
    assert asked.status_code == 200, asked.text
    passkey = Authenticator(**made)
    credential = passkey.register(asked.json()["options"])
    answer = browser.post("/v1/account/passkeys", {"name": name, "credential": credential})
    assert answer.status_code == 201, answer.text
    return passkey, answer.json()


def joined(
    by: Browser | Door, browser: Browser, role: Role | str, sign_in: str, **more: Any
) -> Somebody:
    """Invite somebody and let them come in, with a passkey where one is needed."""
    token = invited(by, role, sign_in, **more)["token"]
    state = accepted(browser, token).json()["state"]
    one = Somebody(browser, sign_in)
    if state == "passkey_registration_needed":
        one.passkey, made = registered(browser)
        one.codes = made["recovery_codes"]
    one.id = browser.get("/v1/account").json()["person"]["id"]
    return one


def told(sessions: Sessions, action: str) -> list[dict[str, Any]]:
    """Read what the journal was told of an action, oldest first."""
    with sessions() as session:
        rows = session.execute(
            text(
                "SELECT actor, subject, party, topic, body FROM journal_pending"
                " WHERE action = :action ORDER BY id"
            ),
            {"action": action},
        )
        return [dict(row) for row in rows.mappings()]
