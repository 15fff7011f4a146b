"""Draws of units to sight, and seeds that wait to be revealed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draws",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("serials", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("list_digest", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("committed_by", sa.Text(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("drawn", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("revealed_by", sa.Text(), nullable=True),
        sa.Column("revealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(revealed_at IS NULL) = (seed IS NULL) AND (revealed_at IS NULL) = (drawn IS NULL)"
            " AND (revealed_at IS NULL) = (revealed_by IS NULL)",
            name=op.f("ck_draws_whole_reveal"),
        ),
        sa.CheckConstraint(
            "missing BETWEEN 1 AND units AND size BETWEEN 1 AND units", name=op.f("ck_draws_size")
        ),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name=op.f("fk_draws_audit_id_audits")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draws")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_draws_audit_id")),
    )
    op.create_table(
        "draw_seeds",
        sa.Column("draw_id", sa.Uuid(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["draw_id"], ["draws.id"], name=op.f("fk_draw_seeds_draw_id_draws")
        ),
        sa.PrimaryKeyConstraint("draw_id", name=op.f("pk_draw_seeds")),
    )


def downgrade() -> None:
    op.drop_table("draw_seeds")
    op.drop_table("draws")
