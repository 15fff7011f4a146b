"""Custody events as they were captured, transfers to authorize, and when goods count as delivered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "custody_captures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("error_behaviour", sa.Text(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("events", JSON, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_captures")),
    )
    op.create_index(
        op.f("ix_custody_captures_said_by"), "custody_captures", ["said_by"], unique=False
    )
    op.create_table(
        "custody_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("capture_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_time", TIME, nullable=False),
        sa.Column("record_time", TIME, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("in_error", sa.Boolean(), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_id"],
            ["custody_captures.id"],
            name=op.f("fk_custody_events_capture_id_custody_captures"),
        ),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_custody_events_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_events")),
    )
    op.create_index(
        op.f("ix_custody_events_capture_id"), "custody_events", ["capture_id"], unique=False
    )
    op.create_index(
        op.f("ix_custody_events_license_id"), "custody_events", ["license_id"], unique=False
    )
    op.create_index(
        op.f("ix_custody_events_said_by_event_id"),
        "custody_events",
        ["said_by", "event_id"],
        unique=False,
    )
    op.create_index(
        "ix_custody_events_captured",
        "custody_events",
        ["said_by", "event_id", "in_error", "license_id"],
        unique=True,
        postgresql_where="verdict = 'captured'",
    )
    op.create_table(
        "aliases",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("kind IN ('party', 'site')", name=op.f("ck_aliases_kind")),
        sa.PrimaryKeyConstraint("identifier", "kind", name=op.f("pk_aliases")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("serials", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("to_party", JSON, nullable=False),
        sa.Column("to_site", JSON, nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("sent", JSON, nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision_ground", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("acknowledgment_due_at", TIME, nullable=True),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.Column("acknowledgment", JSON, nullable=True),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_transfers_second_person")),
        sa.CheckConstraint(
            "(state = 'asked') = (decided_at IS NULL)", name=op.f("ck_transfers_whole_decision")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'authorized', 'refused')", name=op.f("ck_transfers_state")
        ),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_transfers_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index(
        op.f("ix_transfers_license_id_reference"),
        "transfers",
        ["license_id", "reference"],
        unique=True,
    )
    op.add_column(
        "deliveries", sa.Column("milestone", sa.Text(), server_default="arrival", nullable=False)
    )
    op.add_column(
        "licenses", sa.Column("delivered_when", sa.Text(), server_default="arrival", nullable=False)
    )


def downgrade() -> None:
    """Forget at which milestone something was delivered: every delivery counts again."""
    op.drop_column("licenses", "delivered_when")
    op.drop_column("deliveries", "milestone")
    op.drop_index(op.f("ix_transfers_license_id_reference"), table_name="transfers")
    op.drop_table("transfers")
    op.drop_table("aliases")
    op.drop_index("ix_custody_events_captured", table_name="custody_events")
    op.drop_index(op.f("ix_custody_events_said_by_event_id"), table_name="custody_events")
    op.drop_index(op.f("ix_custody_events_license_id"), table_name="custody_events")
    op.drop_index(op.f("ix_custody_events_capture_id"), table_name="custody_events")
    op.drop_table("custody_events")
    op.drop_index(op.f("ix_custody_captures_said_by"), table_name="custody_captures")
    op.drop_table("custody_captures")
