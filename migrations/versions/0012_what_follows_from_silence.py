"""What follows from silence: duties under no condition, what unsettles a party, and alerts of it.

Transfers that are authorized and not acknowledged are taken up soon after. Of the causes on record
those still run that an unsettled obligation or an unfinished check stands for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)

LOWERED = """
INSERT INTO party_causes (party, source, standing, since, ended_at)
SELECT DISTINCT ON (s.party, s.source) s.party, s.source, s.standing, s.since, CASE
    WHEN EXISTS (SELECT FROM obligations o WHERE s.source = 'obligation:' || o.id
                 AND o.settled_at IS NULL AND o.state = 'overdue') THEN NULL
    WHEN EXISTS (SELECT FROM audits a JOIN audit_rungs r ON r.audit_id = a.id
                 WHERE s.source = 'audit:' || a.number AND r.ended_at IS NULL) THEN NULL
    ELSE now() END
FROM party_standings s WHERE s.standing <> 'good'
ORDER BY s.party, s.source, s.id DESC
"""
UNFINISHED = """
INSERT INTO party_causes (party, source, standing, since, ended_at)
SELECT DISTINCT ON (a.party, a.number) a.party, 'audit:' || a.number,
       CASE r.rung WHEN 'unverified' THEN 'unverified' ELSE 'listing_recommended' END,
       r.reached_at, CAST(NULL AS timestamptz)
FROM audits a JOIN audit_rungs r ON r.audit_id = a.id
WHERE r.ended_at IS NULL ORDER BY a.party, a.number, r.id DESC
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.alter_column("obligations", "condition_id", nullable=True)
    op.execute(
        "UPDATE licenses SET attend_from = least(attend_from, now()) WHERE id IN ("
        "SELECT license_id FROM transfers WHERE state = 'authorized' AND acknowledged_at IS NULL)"
    )
    _causes()
    _alerts()


def _alerts() -> None:
    """Let alerts be about an obligation or a check; none was, so no text is lost."""
    op.alter_column("alerts", "deviation", nullable=True)
    op.execute("ALTER TABLE alerts ALTER COLUMN obligation TYPE uuid USING obligation::uuid")
    op.add_column("alerts", sa.Column("audit", sa.Uuid(), nullable=True))
    op.create_unique_constraint(op.f("uq_alerts_obligation"), "alerts", ["obligation"])
    op.create_unique_constraint(op.f("uq_alerts_audit"), "alerts", ["audit"])
    op.create_check_constraint(
        op.f("ck_alerts_about_something"),
        "alerts",
        "num_nonnulls(deviation, obligation, audit) >= 1",
    )


def _causes() -> None:
    op.create_table(
        "party_causes",
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["party"], ["parties.reference"], name=op.f("fk_party_causes_party_parties")
        ),
        sa.PrimaryKeyConstraint("party", "source", name=op.f("pk_party_causes")),
    )
    op.create_index(op.f("ix_party_causes_source"), "party_causes", ["source"], unique=False)
    op.execute(LOWERED)
    op.execute(UNFINISHED)


def downgrade() -> None:
    """Forget causes, alerts without a deviation, and what is owed under no condition."""
    op.execute("DELETE FROM alerts WHERE deviation IS NULL")
    op.drop_constraint(op.f("ck_alerts_about_something"), "alerts")
    op.drop_constraint(op.f("uq_alerts_obligation"), "alerts")
    op.drop_column("alerts", "audit")
    op.execute("ALTER TABLE alerts ALTER COLUMN obligation TYPE text USING obligation::text")
    op.alter_column("alerts", "deviation", nullable=False)
    op.drop_table("party_causes")
    op.execute("ALTER TABLE rungs DISABLE TRIGGER rungs_are_kept")
    op.execute(
        "DELETE FROM rungs USING obligations o"
        " WHERE o.id = obligation_id AND o.condition_id IS NULL"
    )
    op.execute("ALTER TABLE rungs ENABLE TRIGGER rungs_are_kept")
    op.execute(
        "DELETE FROM waivers USING obligations o"
        " WHERE o.id = obligation_id AND o.condition_id IS NULL"
    )
    op.execute("DELETE FROM obligations WHERE condition_id IS NULL")
    op.alter_column("obligations", "condition_id", nullable=False)
