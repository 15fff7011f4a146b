from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from isodate import Duration, parse_duration

from app.obligations import rules
from app.obligations.rules import Deadline, State
from monitors import Duty

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
UTC_ZONE = ZoneInfo("UTC")

zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Africa/Nairobi",
        "Africa/Cairo",  # its clocks go forward at midnight
        "Asia/Beirut",  # so do these
        "America/Santiago",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # by half an hour
        "Pacific/Apia",
    ]
).map(ZoneInfo)
days = st.dates(date(2012, 1, 1), date(2040, 12, 31))
moments = st.timedeltas(timedelta(0), timedelta(days=3285)).map(
    lambda passed: datetime(2012, 1, 1, tzinfo=UTC) + passed
)
lengths = st.sampled_from(["P1D", "P10D", "P1W", "P1M", "P3M", "P6M", "P1Y", "P1M15D", "P2Y"])
graces = st.integers(0, 60)


def reports(every: str, grace: int = 15, starts: date | None = None) -> Duty:
    length: timedelta | Duration = parse_duration(every)
    return Duty("report", "license", length, timedelta(days=grace), starts=starts)


def covered(every: str, starts: date, slots: int) -> list[tuple[date, date]]:
    duty = reports(every)
    periods = [rules.period(duty, starts, slot, UTC_ZONE).period for slot in range(slots)]
    return [period for period in periods if period is not None]


def test_three_months_are_three_months_and_not_ninety_days() -> None:
    assert covered("P3M", date(2026, 1, 1), 4) == [
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), date(2026, 9, 30)),
        (date(2026, 10, 1), date(2026, 12, 31)),
    ]


def test_months_clip_at_their_end_and_the_anchor_does_not_drift() -> None:
    begins = [first for first, _ in covered("P1M", date(2026, 1, 31), 5)]
    assert begins == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
        date(2026, 5, 31),
    ]


def test_three_months_from_the_end_of_november_are_the_end_of_february() -> None:
    assert covered("P3M", date(2026, 11, 30), 2)[1][0] == date(2027, 2, 28)
    assert covered("P3M", date(2027, 11, 30), 2)[1][0] == date(2028, 2, 29)


def test_a_leap_day_comes_back_every_fourth_year() -> None:
    begins = [first for first, _ in covered("P1Y", date(2028, 2, 29), 5)]
    assert begins == [
        date(2028, 2, 29),
        date(2029, 2, 28),
        date(2030, 2, 28),
        date(2031, 2, 28),
        date(2032, 2, 29),
    ]


@given(days, lengths, st.integers(0, 60), zones, graces)
def test_periods_join_without_gap_or_overlap(
    starts: date, every: str, slot: int, zone: ZoneInfo, grace: int
) -> None:
    duty = reports(every, grace)
    one, following = (rules.period(duty, starts, at, zone) for at in (slot, slot + 1))
    assert one.period is not None
    assert following.period is not None
    assert one.slot == slot
    assert one.period[0] <= one.period[1]
    assert one.period[1] + timedelta(days=1) == following.period[0]
    assert one.due_at < following.due_at
    assert one.due_at <= one.grace_until


@given(days, st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(0, 40))
def test_every_period_begins_on_the_day_of_its_anchor_or_at_the_month_s_end(
    starts: date, months: int, slot: int
) -> None:
    period = rules.period(reports(f"P{months}M"), starts, slot, UTC_ZONE).period
    assert period is not None
    begin = period[0]
    elapsed = (begin.year - starts.year) * 12 + begin.month - starts.month
    assert elapsed == months * slot
    last_day = (begin + timedelta(days=1)).month != begin.month
    assert begin.day == starts.day or (last_day and begin.day < starts.day)


@given(days, lengths, st.integers(0, 20), zones, graces)
def test_what_is_due_falls_due_when_its_last_day_is_over_there(
    starts: date, every: str, slot: int, zone: ZoneInfo, grace: int
) -> None:
    deadline = rules.period(reports(every, grace), starts, slot, zone)
    assert deadline.period is not None
    last = deadline.period[1]
    for moment, day in (
        (deadline.due_at, last),
        (deadline.grace_until, last + timedelta(days=grace)),
    ):
        assert (moment - INSTANT).astimezone(zone).date() == day
        assert moment.astimezone(zone).date() == day + timedelta(days=1)


@given(days, lengths, st.integers(0, 20), zones)
def test_who_rules_at_the_end_of_its_first_day_asks_for_a_period(
    starts: date, every: str, slot: int, zone: ZoneInfo
) -> None:
    deadline = rules.period(reports(every), starts, slot, zone)
    assert deadline.period is not None
    over = rules.first_day_over(deadline, zone)
    assert over.astimezone(zone).date() == deadline.period[0]
    assert (over + INSTANT).astimezone(zone).date() == deadline.period[0] + timedelta(days=1)
    assert over < deadline.due_at


def test_grace_ends_at_midnight_where_the_license_is() -> None:
    nairobi = rules.period(reports("P1M"), date(2026, 6, 1), 0, ZoneInfo("Africa/Nairobi"))
    assert nairobi.due_at == datetime(2026, 6, 30, 21, tzinfo=UTC)
    assert nairobi.grace_until == datetime(2026, 7, 15, 21, tzinfo=UTC)


def test_a_grace_that_spans_a_change_of_clocks_still_ends_at_midnight() -> None:
    berlin = rules.period(reports("P1M", 40), date(2026, 2, 1), 0, ZoneInfo("Europe/Berlin"))
    assert berlin.due_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert berlin.grace_until == datetime(2026, 4, 9, 22, tzinfo=UTC)


def test_where_clocks_go_forward_at_midnight_the_day_begins_with_its_first_moment() -> None:
    cairo = rules.period(reports("P1D", 0), date(2026, 4, 23), 0, ZoneInfo("Africa/Cairo"))
    assert cairo.due_at == datetime(2026, 4, 23, 22, tzinfo=UTC)  # 01:00 there, the first of Friday


@given(days, lengths, zones, graces, moments)
def test_periods_whose_grace_was_over_are_not_asked_for(
    starts: date, every: str, zone: ZoneInfo, grace: int, since: datetime
) -> None:
    duty = reports(every, grace)
    asked = list(islice(rules.periods_from(duty, starts, since, zone), 3))
    slots = [deadline.slot for deadline in asked]
    assert slots == [slots[0], slots[0] + 1, slots[0] + 2]
    assert asked[0].grace_until > since
    if slots[0] > 0:
        assert rules.period(duty, starts, slots[0] - 1, zone).grace_until <= since


def test_silence_is_counted_from_when_a_device_was_heard() -> None:
    duty = Duty("reading", "unit", timedelta(hours=72), timedelta(hours=3))
    deadline = rules.after_silence(duty, NOON)
    assert deadline.due_at == NOON + timedelta(hours=72)
    assert deadline.grace_until == NOON + timedelta(hours=75)


def test_a_device_may_be_awaited_by_calendar_months() -> None:
    duty = Duty("reading", "unit", Duration(months=1), timedelta(days=1))
    heard = datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert rules.after_silence(duty, heard).due_at == datetime(2027, 2, 28, 12, tzinfo=UTC)


deadlines = st.builds(
    lambda due, grace: Deadline(due, due + grace),
    moments,
    st.timedeltas(timedelta(0), timedelta(days=400)),
)


@given(deadlines)
def test_the_limits_themselves_still_belong_to_the_debtor(deadline: Deadline) -> None:
    due, until = deadline.due_at, deadline.grace_until
    assert rules.state_at(deadline, due - timedelta(hours=1)) is State.UPCOMING
    assert rules.state_at(deadline, due) is State.DUE
    assert rules.state_at(deadline, until) is State.DUE
    assert rules.state_at(deadline, until + INSTANT) is State.OVERDUE


@given(deadlines, st.timedeltas(timedelta(days=-500), timedelta(days=500)))
def test_looks_move_strictly_forward_and_end_once_it_is_overdue(
    deadline: Deadline, away: timedelta
) -> None:
    now: datetime | None = deadline.due_at + away
    looks = 0
    while now is not None:
        before, state, now = now, rules.state_at(deadline, now), rules.next_look(deadline, now)
        assert now is None or now > before
        assert (now is None) == (state is State.OVERDUE)
        looks += 1
    assert looks <= 3


@given(deadlines)
def test_a_look_that_was_promised_always_finds_another_state(deadline: Deadline) -> None:
    now = deadline.due_at - timedelta(hours=1)
    following = rules.next_look(deadline, now)
    assert following is not None
    assert rules.state_at(deadline, following) is not rules.state_at(deadline, now)


def test_what_comes_at_the_due_time_itself_is_in_time() -> None:
    assert rules.met_state(NOON, NOON) is State.MET
    assert rules.met_state(NOON, NOON + INSTANT) is State.MET_LATE


def test_what_would_fall_due_on_a_day_off_may_come_on_the_next_working_day() -> None:
    duty = replace(reports("P1M", grace=5), working_days=True)
    plain = rules.period(duty, date(2026, 11, 1), 1, UTC_ZONE)
    german = rules.period(duty, date(2026, 11, 26), 0, UTC_ZONE, ["DE"])
    assert plain.due_at == datetime(2027, 1, 1, tzinfo=UTC)  # 31 December 2026 is a Thursday
    # The period ends on Christmas Day, a Friday; Saturday is Boxing Day; Monday is the 28th.
    assert german.period == (date(2026, 11, 26), date(2026, 12, 25))
    assert german.due_at == datetime(2026, 12, 29, tzinfo=UTC)
    assert german.grace_until == datetime(2026, 12, 31, tzinfo=UTC)
