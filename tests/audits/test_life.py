"""The life of a check, against a table written out by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.audits import rules
from app.audits.rules import (
    AlreadyAccepted,
    AlreadyTheirs,
    Happening,
    NotAssignee,
    NotOffered,
    Outcome,
    Standing,
    State,
    Step,
    StepOutOfTurn,
)
from app.errors import Conflict, NotAllowed

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
OPENER, ADA, BEN = "opener", "ada", "ben"

LEGAL = """
planned      notified  notified
planned      started   in_progress
planned      refused   refused
planned      unable    unable
notified     notified  notified
notified     started   in_progress
notified     refused   refused
notified     unable    unable
notified     reported  reported
in_progress  refused   refused
in_progress  unable    unable
in_progress  reported  reported
refused      notified  notified
refused      started   in_progress
refused      rated     under_review
unable       notified  notified
unable       started   in_progress
unable       rated     under_review
reported     reported  reported
reported     rated     under_review
under_review reported  under_review
under_review rated     under_review
under_review closed    closed
closed       reported  closed
closed       rated     closed
"""
MOVES = {
    (State(before), Step(step)): State(after)
    for before, step, after in map(str.split, LEGAL.strip().splitlines())
}
HANDS = (Step.ASSIGNED, Step.ACCEPTED, Step.HANDED_OVER)

WAY_TO: dict[State, tuple[Step, ...]] = {
    State.PLANNED: (),
    State.NOTIFIED: (Step.NOTIFIED,),
    State.IN_PROGRESS: (Step.NOTIFIED, Step.STARTED),
    State.REFUSED: (Step.NOTIFIED, Step.REFUSED),
    State.UNABLE: (Step.UNABLE,),
    State.REPORTED: (Step.NOTIFIED, Step.STARTED, Step.REPORTED),
    State.UNDER_REVIEW: (Step.NOTIFIED, Step.STARTED, Step.REPORTED, Step.RATED),
    State.CLOSED: (Step.NOTIFIED, Step.STARTED, Step.REPORTED, Step.RATED, Step.CLOSED),
}


def happened(step: Step, minutes: float, by: str = ADA, **more: object) -> Happening:
    """A step so many minutes after eight."""
    return Happening(step, T0 + timedelta(minutes=minutes), by, **more)  # type: ignore[arg-type]


def planned(by: str = OPENER) -> Happening:
    return happened(Step.PLANNED, 0, by, day=T0.date(), office=True)


def in_state(state: State) -> list[Happening]:
    """A check in the hands of Ada that has come to a state."""
    steps = [Step.ACCEPTED, *WAY_TO[state]]
    return [planned(), *(happened(step, at) for at, step in enumerate(steps, start=1))]


def stands(steps: list[Happening]) -> Standing:
    return rules.stands("CHK-2026-00001", steps)


@pytest.mark.parametrize("state", State)
def test_every_state_is_left_by_the_steps_of_the_table_and_no_others(state: State) -> None:
    before = in_state(state)
    assert stands(before).state is state
    for step in Step:
        to = BEN if step in HANDS else None
        one = happened(step, 60, ADA, to=to)
        if step is Step.ACCEPTED:
            continue  # Ada has it already; see below
        expected = MOVES.get((state, step))
        if (step in HANDS and state is not State.CLOSED) or step is Step.COMPLETED_ELSEWHERE:
            expected = state
        if expected is None:
            with pytest.raises(StepOutOfTurn) as refused:
                stands([*before, one])
            assert refused.value.more == {"state": state}
        else:
            assert stands([*before, one]).state is expected


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "step",
    [Step.HANDED_OVER, Step.STARTED, Step.REFUSED, Step.REPORTED, Step.UNABLE, Step.NOTIFIED],
)
def test_a_step_of_the_assignee_is_nobody_elses(state: State, step: Step) -> None:
    legal = (state, step) in MOVES or (step in HANDS and state is not State.CLOSED)
    with pytest.raises(NotAssignee if legal else StepOutOfTurn):
        stands([*in_state(state), happened(step, 60, BEN, to="cleo")])


def test_until_somebody_accepts_it_the_opener_answers_for_a_check_and_cannot_make_it() -> None:
    assert stands([planned()]).responsible == OPENER
    offered = [planned(), happened(Step.ASSIGNED, 1, OPENER, to=ADA, office=True)]
    assert stands(offered).responsible == OPENER
    assert stands(offered).offered_to == ADA
    for step in (Step.STARTED, Step.REFUSED):
        with pytest.raises(NotAssignee, match="no inspector had accepted"):
            stands([*offered, happened(step, 2, OPENER)])
    unable = stands([*offered, happened(Step.UNABLE, 2, OPENER)])
    assert (unable.state, unable.revealed_at) == (State.UNABLE, None)


def test_the_first_of_two_has_the_check() -> None:
    accepted = [planned(), happened(Step.ACCEPTED, 1, ADA)]
    for who in (ADA, BEN):
        with pytest.raises(AlreadyAccepted) as refused:
            stands([*accepted, happened(Step.ACCEPTED, 2, who)])
        assert refused.value.more == {"assignee": ADA}


def test_an_offer_is_for_one_inspector() -> None:
    offered = [planned(), happened(Step.ASSIGNED, 1, OPENER, to=ADA, office=True)]
    with pytest.raises(NotOffered):
        stands([*offered, happened(Step.ACCEPTED, 2, BEN)])
    assert stands([*offered, happened(Step.ACCEPTED, 2, ADA)]).assignee == ADA


def test_who_hands_over_stays_responsible_until_the_other_accepts() -> None:
    handed = [*in_state(State.IN_PROGRESS), happened(Step.HANDED_OVER, 30, ADA, to=BEN)]
    assert stands(handed).responsible == ADA
    assert stands([*handed, happened(Step.REPORTED, 31, ADA)]).state is State.REPORTED
    taken = [*handed, happened(Step.ACCEPTED, 32, BEN)]
    assert (stands(taken).responsible, stands(taken).offered_to) == (BEN, None)
    with pytest.raises(NotAssignee):
        stands([*taken, happened(Step.REPORTED, 33, ADA)])
    assert stands([*taken, happened(Step.REPORTED, 33, BEN)]).state is State.REPORTED


def test_a_check_is_not_offered_to_who_has_it() -> None:
    for step in (Step.ASSIGNED, Step.HANDED_OVER):
        with pytest.raises(AlreadyTheirs) as refused:
            stands([*in_state(State.NOTIFIED), happened(step, 9, ADA, to=ADA)])
        assert refused.value.pointer == "/to"


def test_the_party_learns_of_a_check_when_it_is_told_or_visited() -> None:
    def revealed(*steps: Step) -> datetime | None:
        begun = [planned(), happened(Step.ACCEPTED, 1)]
        return stands(
            [*begun, *(happened(step, 2 + at) for at, step in enumerate(steps))]
        ).revealed_at

    second = T0 + timedelta(minutes=2)
    assert revealed() is None
    assert revealed(Step.UNABLE) is None
    assert revealed(Step.NOTIFIED, Step.STARTED) == second
    assert revealed(Step.STARTED) == second
    assert revealed(Step.REFUSED) == second
    assert revealed(Step.UNABLE, Step.NOTIFIED) == second + timedelta(minutes=1)


def test_a_report_without_a_beginning_began_it() -> None:
    standing = stands([*in_state(State.NOTIFIED), happened(Step.REPORTED, 30)])
    assert standing.started_at == standing.reported_at == T0 + timedelta(minutes=30)
    late = [*in_state(State.NOTIFIED), happened(Step.REPORTED, 30)]
    placed, standing = rules.place(
        "CHK", late, happened(Step.STARTED, 20), now=T0 + timedelta(days=1)
    )
    assert placed.at == standing.started_at == T0 + timedelta(minutes=20)
    assert standing.state is State.REPORTED


def test_the_clock_of_a_refused_check_runs_from_the_first_refusal_until_it_is_made() -> None:
    first, second = T0 + timedelta(hours=1), T0 + timedelta(days=3)
    refused = [*in_state(State.NOTIFIED), happened(Step.REFUSED, 60, clock_from=first)]
    assert stands(refused).unresolved_since == first
    again = [
        *refused,
        happened(Step.NOTIFIED, 1000),
        happened(Step.REFUSED, 4320, clock_from=second),
    ]
    assert stands(again).unresolved_since == first
    made = [*again, happened(Step.STARTED, 5000), happened(Step.REPORTED, 5001)]
    assert stands(made).unresolved_since is None


@pytest.mark.parametrize("outcome", [Outcome.UNFAVORABLE, Outcome.INCONCLUSIVE])
def test_closing_stops_the_clock_only_of_a_check_that_is_not_unfavorable(outcome: Outcome) -> None:
    since = T0 + timedelta(hours=1)
    closed = [
        *in_state(State.NOTIFIED),
        happened(Step.REFUSED, 60, clock_from=since),
        happened(Step.RATED, 70, "rater", office=True, outcome=outcome),
        happened(Step.CLOSED, 80, "second", office=True),
    ]
    runs_on = outcome is Outcome.UNFAVORABLE
    assert stands(closed).unresolved_since == (since if runs_on else None)
    other = happened(Step.COMPLETED_ELSEWHERE, 90, "system", office=True)
    assert stands([*closed, other]).unresolved_since is None


def test_nothing_happens_to_a_check_before_it_is_planned() -> None:
    early = happened(Step.STARTED, -60)
    with pytest.raises(StepOutOfTurn) as refused:
        rules.place("CHK", [planned()], early, now=T0 + timedelta(days=1))
    assert refused.value.pointer == "/at"


def test_a_slow_clock_of_ten_minutes_is_forgiven_and_of_more_is_not() -> None:
    now = T0 + timedelta(minutes=5)
    offered = [planned(), happened(Step.ASSIGNED, 4, OPENER, to=ADA, office=True)]
    accepted = [*offered, happened(Step.ACCEPTED, 5, ADA)]
    slow = happened(Step.STARTED, -5)
    placed, standing = rules.place("CHK", accepted, slow, now=now)
    assert (placed.at, standing.state) == (now, State.IN_PROGRESS)
    with pytest.raises(StepOutOfTurn):
        rules.place("CHK", accepted, happened(Step.STARTED, -5.01), now=now)


def test_a_clock_ahead_counts_as_now() -> None:
    now = T0 + timedelta(minutes=9)
    placed, _ = rules.place("CHK", in_state(State.NOTIFIED), happened(Step.STARTED, 15), now=now)
    assert placed.at == now


def test_late_steps_are_judged_by_who_was_responsible_then() -> None:
    """Ada visited in the morning, handed over at noon, and had no network until the evening."""
    known = [
        *in_state(State.IN_PROGRESS),
        happened(Step.HANDED_OVER, 240, ADA, to=BEN),
        happened(Step.ACCEPTED, 250, BEN),
    ]
    evening = T0 + timedelta(hours=12)
    _, standing = rules.place("CHK", known, happened(Step.REPORTED, 200, ADA), now=evening)
    assert (standing.state, standing.responsible) == (State.REPORTED, BEN)
    with pytest.raises(NotAssignee):
        rules.place("CHK", known, happened(Step.REPORTED, 300, ADA), now=evening)


def test_a_late_step_that_contradicts_what_is_on_file_is_refused() -> None:
    known = [*in_state(State.REPORTED), happened(Step.RATED, 100, "rater", office=True)]
    with pytest.raises(StepOutOfTurn):
        rules.place("CHK", known, happened(Step.REFUSED, 3.5), now=T0 + timedelta(days=1))


TAKEN = st.lists(
    st.tuples(
        st.sampled_from([step for step in Step if step is not Step.PLANNED]),
        st.sampled_from([ADA, BEN, OPENER]),
        st.sampled_from([ADA, BEN]),
        st.booleans(),
    ),
    max_size=12,
)


@given(TAKEN, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_how_a_check_stands_does_not_hang_on_the_order_in_which_we_heard(
    taken: list[tuple[Step, str, str, bool]], random: object
) -> None:
    """Steps that were legal as they happened are accepted in some orders, and then mean the same."""
    legal = [planned()]
    for at, (step, by, to, office) in enumerate(taken, start=1):
        one = happened(step, at * 20, by, to=to, office=office)
        try:
            stands([*legal, one])
        except (Conflict, NotAllowed):
            continue
        legal.append(one)
    told = legal[1:]
    random.shuffle(told)  # type: ignore[attr-defined]
    known, late = [legal[0]], T0 + timedelta(days=30)
    waiting = told
    while waiting:
        left = []
        for one in waiting:
            try:
                rules.place("CHK", known, one, now=late)
            except (Conflict, NotAllowed):
                left.append(one)
            else:
                known.append(one)
        if len(left) == len(waiting):
            break  # each of these needs another one first: the sender sends all of them again
        waiting = left
    assume(not waiting)
    assert stands(sorted(known, key=lambda one: one.at)) == stands(legal)


class Life(RuleBasedStateMachine):
    """Anybody tries anything at any time; a model that knows only the table says what may be."""

    reached: set[tuple[State, Step]] = set()
    refused: set[tuple[State, Step]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.standing = stands([planned()])
        self.state = State.PLANNED
        self.assignee: str | None = None
        self.offered: str | None = None
        self.minutes = 0

    def attempt(self, step: Step, by: str, to: str | None = None, *, office: bool = False) -> bool:
        self.minutes += 1
        one = happened(step, self.minutes, by, to=to, office=office, clock_from=T0)
        before = self.state
        try:
            self.standing = rules.follow("CHK", self.standing, one)
        except (Conflict, NotAllowed):
            self.refused.add((before, step))
            return False
        self.state = self.standing.state
        self.reached.add((before, step))
        return True

    @rule(by=st.sampled_from([ADA, BEN]), to=st.sampled_from([ADA, BEN]), office=st.booleans())
    def offer(self, by: str, to: str, *, office: bool) -> None:
        step = Step.ASSIGNED if office else Step.HANDED_OVER
        may = self.state is not State.CLOSED and to != self.assignee
        may = may and (office or by == self.assignee)
        assert self.attempt(step, by, to, office=office) is may
        self.offered = to if may else self.offered

    @rule(by=st.sampled_from([ADA, BEN]))
    def accept(self, by: str) -> None:
        free = self.offered == by or (self.offered is None and self.assignee is None)
        may = free and self.state is not State.CLOSED
        assert self.attempt(Step.ACCEPTED, by) is may
        if may:
            self.assignee, self.offered = by, None

    @rule(
        step=st.sampled_from([Step.STARTED, Step.REFUSED, Step.REPORTED]),
        by=st.sampled_from([ADA, BEN, OPENER]),
    )
    def make(self, step: Step, by: str) -> None:
        self._move(step, by, may=by == self.assignee)

    @rule(
        step=st.sampled_from([Step.NOTIFIED, Step.UNABLE]),
        by=st.sampled_from([ADA, BEN, OPENER]),
        office=st.booleans(),
    )
    def tell(self, step: Step, by: str, *, office: bool) -> None:
        self._move(step, by, may=office or by == (self.assignee or OPENER), office=office)

    @rule(step=st.sampled_from([Step.RATED, Step.CLOSED]))
    def judge(self, step: Step) -> None:
        self._move(step, "rater", may=True, office=True)

    @precondition(lambda self: self.assignee is not None)
    @rule(pick=st.sampled_from(range(12)))
    def go_on(self, pick: int) -> None:
        """Take one of the steps that may follow, by whose it is."""
        steps = sorted(step for state, step in MOVES if state is self.state)
        step = steps[pick % len(steps)]
        office = step in {Step.RATED, Step.CLOSED}
        self._move(step, self.assignee or OPENER, may=True, office=office)

    @precondition(lambda self: self.assignee is not None)
    @rule()
    def go_astray(self) -> None:
        """Try every step that may not follow, as the person whose step it would be."""
        for step in sorted({step for _, step in MOVES}):
            if (self.state, step) not in MOVES:
                self._move(step, self.assignee or OPENER, may=True, office=True)

    def _move(self, step: Step, by: str, *, may: bool, office: bool = False) -> None:
        before = self.state
        expected = MOVES.get((before, step)) if may else None
        assert self.attempt(step, by, office=office) is (expected is not None)
        assert self.state is (expected or before)

    @invariant()
    def somebody_is_responsible_at_every_moment(self) -> None:
        standing = self.standing
        assert standing.responsible == (self.assignee or OPENER)
        assert standing.offered_to == self.offered
        assert (standing.closed_at is not None) is (standing.state is State.CLOSED)
        if standing.reported_at is not None:
            assert standing.started_at is not None
            assert standing.started_at <= standing.reported_at


Life.TestCase.settings = settings(
    max_examples=250, stateful_step_count=50, deadline=None, derandomize=True
)


def test_the_machine_reached_every_transition_allowed_and_refused() -> None:
    Life.reached, Life.refused = set(), set()
    Life.TestCase("runTest").runTest()
    assert Life.reached >= set(MOVES)
    outcomes = {(state, step) for state in State for step in {step for _, step in MOVES}}
    assert Life.refused >= outcomes - set(MOVES)
