"""Visits planned for inspectors, with everything a plan was made of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("repeats", sa.Uuid(), nullable=True),
        sa.Column("inspectors", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inputs_digest", sa.LargeBinary(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("solved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Numeric(), nullable=True),
        sa.Column("solver", sa.Text(), nullable=True),
        sa.Column("visits", sa.BigInteger(), nullable=True),
        sa.Column("mandatory", sa.BigInteger(), nullable=True),
        sa.Column("mandatory_made", sa.BigInteger(), nullable=True),
        sa.Column("mandatory_bound", sa.BigInteger(), nullable=True),
        sa.Column("drawn", sa.BigInteger(), nullable=True),
        sa.Column("drawn_made", sa.BigInteger(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("bound", sa.BigInteger(), nullable=True),
        sa.Column("gap", sa.Numeric(), nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'solving', 'solved', 'failed')", name=op.f("ck_audit_plans_state")
        ),
        sa.CheckConstraint(
            "(state = 'solving') = (held_until IS NOT NULL)", name=op.f("ck_audit_plans_held")
        ),
        sa.CheckConstraint(
            "(state = 'solved') = (solved_at IS NOT NULL)", name=op.f("ck_audit_plans_solved")
        ),
        sa.CheckConstraint("points <= bound", name=op.f("ck_audit_plans_bound")),
        sa.ForeignKeyConstraint(
            ["repeats"], ["audit_plans.id"], name=op.f("fk_audit_plans_repeats_audit_plans")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_plans")),
    )
    op.create_index(
        op.f("ix_audit_plans_ordered_at_id"), "audit_plans", ["ordered_at", "id"], unique=False
    )
    op.create_index(
        "ix_audit_plans_to_solve",
        "audit_plans",
        ["ordered_at"],
        unique=False,
        postgresql_where="state IN ('planned', 'solving')",
    )
    op.create_table(
        "audit_visits",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("due_by", sa.Date(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("inspector", sa.Text(), nullable=True),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("leaves_on", sa.Date(), nullable=True),
        sa.Column("back_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "(inspector IS NULL) = (first_on IS NULL) AND (inspector IS NULL) = (last_on IS NULL)"
            " AND (inspector IS NULL) = (leaves_on IS NULL)"
            " AND (inspector IS NULL) = (back_on IS NULL)",
            name=op.f("ck_audit_visits_whole_visit"),
        ),
        sa.CheckConstraint(
            "leaves_on <= first_on AND first_on <= last_on", name=op.f("ck_audit_visits_leaves")
        ),
        sa.CheckConstraint("last_on <= back_on", name=op.f("ck_audit_visits_back")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["audit_plans.id"], name=op.f("fk_audit_visits_plan_id_audit_plans")
        ),
        sa.PrimaryKeyConstraint("plan_id", "place", name=op.f("pk_audit_visits")),
    )


def downgrade() -> None:
    op.drop_table("audit_visits")
    op.drop_index("ix_audit_plans_to_solve", table_name="audit_plans")
    op.drop_index(op.f("ix_audit_plans_ordered_at_id"), table_name="audit_plans")
    op.drop_table("audit_plans")
