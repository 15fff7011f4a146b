"""The desk where ordered plans are solved, one at a time, each by a process of its own.

A plan is held for a while by whoever solves it. If that process or this one is killed, the hold runs out
and the plan is solved again; a result that comes after the hold was lost is thrown away.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session, undefer

from app import journal
from app.audits import solving
from app.audits.laying import Plan, Reason, Why
from app.audits.planning_schemas import Inputs, PlaceGiven
from app.audits.plans import AuditPlan, AuditVisit
from app.database import Sessions

_log = structlog.get_logger()

NAME = "system:plans"
HELD = timedelta(minutes=5)
PATIENCE_SECONDS = 240
ATTEMPTS = 3
COMMAND = (sys.executable, "-m", "app.audits.solving")


class PlanDesk:
    """Takes what waits to be solved, and files what comes of it."""

    def __init__(
        self, sessions: Sessions, now: Callable[[], datetime], command: Sequence[str] = COMMAND
    ) -> None:
        self.sessions = sessions
        self.now = now
        self.command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a process is at work."""
        return self._process is not None

    def tick(self) -> bool:
        """Solve one plan that waits; tell whether there was one."""
        with self.sessions() as session:
            taken = _take(session, self.now())
            session.commit()
        if taken is None:
            return False
        id, attempt, ordered = taken
        begun = self.now()
        found, trouble = self._solve(ordered)
        with self.sessions() as session:
            row = _held(session, id, attempt)
            if row is not None and found is not None:
                _file(session, row, found, now=self.now(), begun=begun)
            elif row is not None:
                _give_back(session, row, trouble, counts=not self._closed, now=self.now())
            session.commit()
        return True

    def close(self) -> None:
        """Break off what is being solved; it is solved again at the next start."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _solve(self, ordered: dict[str, Any]) -> tuple[Plan | None, str]:
        """Have a process solve an order; None with what went wrong if it does not."""
        with self._lock:
            if self._closed:
                return None, "the scheduler stopped"
            self._process = subprocess.Popen(  # noqa: S603 our own module
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        try:
            out, err = self._process.communicate(
                json.dumps(ordered).encode(), timeout=PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None, f"it was not solved within {PATIENCE_SECONDS} seconds"
        finally:
            with self._lock:
                code, self._process = self._process.returncode, None
        if code != 0:
            last = err.decode(errors="replace").strip().splitlines()[-1:]
            return None, f"the solver ended with {code}: {''.join(last)[:300]}"
        return solving.read(json.loads(out)), ""


def _take(session: Session, now: datetime) -> tuple[UUID, int, dict[str, Any]] | None:
    """Take the oldest plan that waits or is held no longer."""
    row = session.scalar(
        select(AuditPlan)
        .where(
            or_(
                AuditPlan.state == "planned",
                (AuditPlan.state == "solving") & (AuditPlan.held_until <= now),
            )
        )
        .order_by(AuditPlan.ordered_at, AuditPlan.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .options(undefer(AuditPlan.inputs))
    )
    if row is None:
        return None
    if row.attempts >= ATTEMPTS:
        _give_back(session, row, row.trouble or "whoever solved it was killed", now=now)
        return None
    row.state, row.held_until, row.attempts = "solving", now + HELD, row.attempts + 1
    return row.id, row.attempts, {"inputs": row.inputs, "seed": row.seed.hex()}


def _held(session: Session, id: UUID, attempt: int) -> AuditPlan | None:
    """Get the plan back, unless another has taken it meanwhile."""
    return session.scalar(
        select(AuditPlan)
        .where(AuditPlan.id == id, AuditPlan.state == "solving", AuditPlan.attempts == attempt)
        .with_for_update()
        .options(undefer(AuditPlan.inputs))
    )


def _give_back(
    session: Session, row: AuditPlan, trouble: str, *, now: datetime, counts: bool = True
) -> None:
    """Let a plan be tried again, or fail when it was tried often enough."""
    _log.warning("plan_not_solved", plan=str(row.id), attempt=row.attempts, trouble=trouble)
    row.held_until, row.trouble = None, trouble
    if not counts:
        row.state, row.attempts = "planned", row.attempts - 1
    elif row.attempts < ATTEMPTS:
        row.state = "planned"
    else:
        row.state = "failed"
        _tell(session, row, "plan.failed", {"trouble": trouble}, now)
    session.flush()


def _file(session: Session, row: AuditPlan, found: Plan, *, now: datetime, begun: datetime) -> None:
    """Keep a solved plan: its figures, and every place with its reason."""
    inputs = Inputs.model_validate(row.inputs)
    row.state, row.held_until, row.trouble = "solved", None, None
    row.solved_at, row.seconds = now, Decimal(str(round((now - begun).total_seconds(), 3)))
    row.solver, row.stopped = found.solver, found.stopped
    row.visits, row.points, row.bound = len(found.visits), found.points, found.bound
    row.gap = Decimal(str(round(found.gap, 6)))
    row.mandatory = sum(one.due_by is not None for one in inputs.places)
    row.mandatory_made, row.mandatory_bound = found.mandatory_made, found.mandatory_bound
    row.drawn, row.drawn_made = len(found.drawn), found.drawn_made
    session.flush()
    session.execute(insert(AuditVisit), _rows(row.id, inputs.places, found))
    told = ("visits", "mandatory", "mandatory_made", "drawn", "drawn_made", "points", "bound")
    _tell(session, row, "plan.solved", {name: getattr(row, name) for name in told}, now)


def _rows(id: UUID, places: Sequence[PlaceGiven], found: Plan) -> list[dict[str, Any]]:
    visits = {one.place: one for one in found.visits}
    nowhere = Reason(Why.NO_POSITION, "its position is not on file")
    rows = []
    for place in places:
        reason, visit = found.reasons.get(place.reference, nowhere), visits.get(place.reference)
        rows.append(
            {
                "plan_id": id,
                "place": place.reference,
                "country": place.country,
                "score": sum(place.parts.values()),
                "parts": place.parts,
                "due_by": place.due_by,
                "ground": place.ground,
                "why": reason.why,
                "detail": reason.detail,
                "inspector": visit and visit.inspector,
                "first_on": visit and visit.first,
                "last_on": visit and visit.last,
                "leaves_on": visit and visit.leaves,
                "back_on": visit and visit.back,
            }
        )
    return rows


def _tell(
    session: Session, row: AuditPlan, action: str, body: dict[str, Any], now: datetime
) -> None:
    journal.append(
        session, actor=NAME, action=action, subject=f"audit-plan:{row.id}", body=body, now=now
    )
