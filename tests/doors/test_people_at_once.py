"""What happens when two do the same at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.orm import Session

from app.access.rules import Actor, Role
from app.database import Sessions
from app.errors import Trouble
from app.people import accepting, invitations, recovery, service, sign_in
from app.people.models import Person
from app.people.outcomes import Granted, Outcome, Refused, Visitor
from app.people.schemas import AcceptanceIn, InvitationIn, SignInIn
from app.settings import Settings
from tests.conftest import Clock, MakePerson

T = TypeVar("T")
ROOT = Actor("cli", Role.ADMINISTRATOR)
VISITOR = Visitor("192.0.2.1", None, "localhost", None, None, frozenset())
TIMES = 8


def at_once(sessions: Sessions, *dos: Callable[..., T]) -> list[T | Trouble]:
    """Do things in threads, each in a transaction of its own."""

    def one(do: Callable[..., T]) -> T | Trouble:
        try:
            with sessions.begin() as session:
                return do(session)
        except Trouble as trouble:
            return trouble

    with ThreadPoolExecutor(len(dos)) as pool:
        return list(pool.map(one, dos))


def test_two_administrators_who_end_each_other_leave_one(
    sessions: Sessions, make_person: MakePerson, time: Clock
) -> None:
    one, other = make_person(Role.ADMINISTRATOR), make_person(Role.ADMINISTRATOR)
    done = at_once(
        sessions,
        lambda session: service.end(
            session, other.id, actor=Actor(one.id, Role.ADMINISTRATOR), now=time()
        ),
        lambda session: service.end(
            session, one.id, actor=Actor(other.id, Role.ADMINISTRATOR), now=time()
        ),
    )
    assert sum(isinstance(answer, Trouble) for answer in done) == 1
    with sessions() as session:
        assert session.query(Person).filter_by(state="active").count() == 1


def test_an_invitation_that_is_accepted_often_at_once_makes_one_person(
    sessions: Sessions, settings: Settings, time: Clock
) -> None:
    given = InvitationIn(sign_in="a@x.example", role=Role.EXPORTER, party="X")
    with sessions.begin() as session:
        _, token = invitations.invite(session, given, actor=ROOT, now=time())
    taking = AcceptanceIn(token=token, name="Ada", password="violet anchor teapot meadow")

    def accept(session: Session) -> Outcome:
        return accepting.accept(session, taking, VISITOR, settings, now=time())

    done = at_once(sessions, *[accept] * TIMES)
    assert sum(isinstance(answer, Granted) for answer in done) == 1
    with sessions() as session:
        assert session.query(Person).count() == 1


def test_many_guesses_at_once_are_no_more_than_one_by_one(
    sessions: Sessions, settings: Settings, time: Clock
) -> None:
    guess = SignInIn(sign_in="nobody@x.example", password="wrong wrong wrong")

    def attempt(session: Session) -> Outcome:
        return sign_in.with_password(session, guess, VISITOR, settings, now=time())

    done = at_once(sessions, *[attempt] * 10)
    refused = [answer.trouble.slug() for answer in done if isinstance(answer, Refused)]
    assert refused.count("sign-in-refused") == 6
    assert refused.count("sign-in-throttled") == 4


def test_a_recovery_code_that_is_used_often_at_once_works_once(
    sessions: Sessions, make_person: MakePerson, time: Clock
) -> None:
    person = make_person(Role.REVIEWER)
    with sessions.begin() as session:
        code = recovery.make(session, session.get_one(Person, person.id), now=time())[0]

    def use(session: Session) -> bool:
        return recovery.use(session, person, code, now=time())

    assert at_once(sessions, *[use] * TIMES).count(True) == 1
