"""The rules of signing in by an identity provider."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.rules import Role
from app.people import oidc_rules
from app.people.oidc_rules import ReturnElsewhere, SignInNotBegun

PATHS = st.from_regex(r"\A/[a-z0-9/?=&.-]{0,50}\Z").filter(
    lambda path: path[1:2] not in {"/", "\\"}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auditors=auditor", (("auditors", Role.AUDITOR),)),
        (" a = auditor , b=inspector,", (("a", Role.AUDITOR), ("b", Role.INSPECTOR))),
        ("CN=eum,OU=x=inspector;b=auditor", (("CN=eum,OU=x", Role.INSPECTOR), ("b", Role.AUDITOR))),
        ("CN=eum,OU=x=inspector;", (("CN=eum,OU=x", Role.INSPECTOR),)),
        ("", ()),
    ],
)
def test_a_mapping_is_read_in_its_order(text: str, expected: tuple[tuple[str, Role], ...]) -> None:
    assert oidc_rules.mapping(text) == expected


@pytest.mark.parametrize("text", ["auditors", "=auditor", "a=king", "acme=exporter", "a=Auditor"])
def test_a_mapping_to_no_role_of_the_authority_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="group=role"):
        oidc_rules.mapping(text)


@given(st.binary(min_size=32, max_size=32), PATHS)
def test_the_cookie_gives_back_what_was_put_in(chance: bytes, path: str) -> None:
    secret = urlsafe_b64encode(chance).decode().rstrip("=")
    assert oidc_rules.opened(oidc_rules.cookie(secret, path)) == (secret, path)


@given(st.none() | st.text(max_size=900))
def test_whatever_else_is_in_the_cookie_is_no_sign_in(value: str | None) -> None:
    with pytest.raises(SignInNotBegun):
        oidc_rules.opened(value)


@given(st.text(max_size=80))
def test_a_path_to_return_to_leads_nowhere_else(path: str) -> None:
    try:
        oidc_rules.check_local(path)
    except ReturnElsewhere:
        return
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    assert path.isprintable()
