from app.access import rules
from app.access.rules import OF_THE_AUTHORITY, Actor, Role


def test_a_key_is_minted_in_the_shape_it_is_recognized_by() -> None:
    id, secret = rules.mint()
    match = rules.KEY.match(f"ew_{id}_{secret}")
    assert match is not None
    assert match.groups() == (id, secret)


def test_no_two_keys_are_alike() -> None:
    minted = [rules.mint() for _ in range(200)]
    assert len({id for id, _ in minted}) == len({secret for _, secret in minted}) == 200


def test_what_is_stored_of_a_secret_does_not_give_it_away() -> None:
    _, secret = rules.mint()
    stored = rules.digest(secret)
    assert secret.encode() not in stored
    assert stored == rules.digest(secret) != rules.digest(secret + "x")


def test_an_exporter_reads_only_its_own_and_the_authority_reads_everything() -> None:
    assert Actor("k", Role.EXPORTER, "NORDLICHT").reads_only == "NORDLICHT"
    assert frozenset(Role) - {Role.EXPORTER} == OF_THE_AUTHORITY
    assert {Actor("k", role).reads_only for role in OF_THE_AUTHORITY} == {None}


def test_idempotency_keys_belong_to_the_party_or_else_to_the_key() -> None:
    assert Actor("one", Role.EXPORTER, "NORDLICHT").owner == "party:NORDLICHT"
    assert Actor("two", Role.EXPORTER, "NORDLICHT").owner == "party:NORDLICHT"
    assert Actor("three", Role.INSPECTOR).owner == "key:three"


def test_the_journal_names_an_actor_by_role_and_key() -> None:
    assert Actor("abc", Role.SUPERVISOR).name == "supervisor:abc"
