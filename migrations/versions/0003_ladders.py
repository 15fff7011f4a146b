"""Deadlines climb a ladder, may be waived, and are told to calendars; how parties stand.

What is settled, and what is only ever added, the database itself keeps from being changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEEP = """
CREATE FUNCTION keep_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is kept as it is: rows like this are only ever added', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""
KEPT = ("rungs", "party_standings")


def upgrade() -> None:
    _party_standings()
    _obligations()
    _waivers()
    _calendars()
    op.execute(KEEP)
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
    op.execute(
        "CREATE TRIGGER settled_obligations_are_kept BEFORE UPDATE ON obligations FOR EACH ROW"
        " WHEN (OLD.settled_at IS NOT NULL) EXECUTE FUNCTION keep_as_it_is()"
    )


def _party_standings() -> None:
    op.create_table(
        "party_standings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "standing IN ('good', 'unverified', 'listing_recommended')",
            name=op.f("ck_party_standings_standing"),
        ),
        sa.ForeignKeyConstraint(
            ["party"], ["parties.reference"], name=op.f("fk_party_standings_party_parties")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_standings")),
    )
    op.create_index(
        op.f("ix_party_standings_party_id"), "party_standings", ["party", "id"], unique=False
    )


def _obligations() -> None:
    op.add_column("obligations", sa.Column("rung", sa.Text(), nullable=True))
    op.add_column("obligations", sa.Column("ground", sa.Text(), nullable=True))
    op.add_column(
        "obligations", sa.Column("waived_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "obligations", sa.Column("sequence", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("obligations", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE obligations SET next_look_at = now() WHERE settled_at IS NULL")
    op.create_table(
        "rungs",
        sa.Column("obligation_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["obligation_id"], ["obligations.id"], name=op.f("fk_rungs_obligation_id_obligations")
        ),
        sa.PrimaryKeyConstraint("obligation_id", "due_at", "rung", name=op.f("pk_rungs")),
    )


def _waivers() -> None:
    op.create_table(
        "waivers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("obligation_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_by", sa.Text(), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("approved_by <> proposed_by", name=op.f("ck_waivers_second_person")),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_waivers_whole_approval")
        ),
        sa.CheckConstraint(
            "(refused_by IS NULL) = (refused_at IS NULL)", name=op.f("ck_waivers_whole_refusal")
        ),
        sa.CheckConstraint(
            "approved_at IS NULL OR refused_at IS NULL", name=op.f("ck_waivers_one_decision")
        ),
        sa.CheckConstraint("expires_at > proposed_at", name=op.f("ck_waivers_ahead")),
        sa.CheckConstraint("approved_at < expires_at", name=op.f("ck_waivers_approved_in_time")),
        sa.ForeignKeyConstraint(
            ["obligation_id"], ["obligations.id"], name=op.f("fk_waivers_obligation_id_obligations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waivers")),
    )
    op.create_index(
        op.f("ix_waivers_obligation_id_id"), "waivers", ["obligation_id", "id"], unique=False
    )
    op.create_index(
        "ix_waivers_waiting",
        "waivers",
        ["obligation_id"],
        unique=True,
        postgresql_where="approved_at IS NULL AND refused_at IS NULL",
    )


def _calendars() -> None:
    op.create_table(
        "calendars",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_calendars_key_id_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
        sa.UniqueConstraint("digest", name=op.f("uq_calendars_digest")),
    )
    op.create_index(op.f("ix_calendars_key_id"), "calendars", ["key_id"], unique=False)


def downgrade() -> None:
    """Forget ladders, waivers, calendars and standings; a waived row that is not settled is owed."""
    op.execute("DROP TRIGGER settled_obligations_are_kept ON obligations")
    op.drop_table("calendars")
    op.drop_table("waivers")
    op.drop_table("rungs")
    op.drop_table("party_standings")
    op.execute("DROP FUNCTION keep_as_it_is")
    op.execute(
        "UPDATE obligations SET state = 'upcoming', next_look_at = now()"
        " WHERE state = 'waived' AND settled_at IS NULL"
    )
    for column in ("changed_at", "sequence", "waived_until", "ground", "rung"):
        op.drop_column("obligations", column)
