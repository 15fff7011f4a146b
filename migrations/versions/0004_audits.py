"""End-use checks: their steps, reports, ratings, recommended actions, and what delay led to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEPT = ("audit_steps", "audit_ratings", "audit_reports")


def upgrade() -> None:
    op.create_table(
        "audit_numbers",
        sa.Column("year", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_audit_numbers")),
    )
    op.create_table(
        "audits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("planned_for", sa.Date(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("unannounced_right", sa.Text(), nullable=True),
        sa.Column("override_by", sa.Text(), nullable=True),
        sa.Column("override_ground", sa.Text(), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("offered_to", sa.Text(), nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mode_carried_out", sa.Text(), nullable=True),
        sa.Column("units_expected", sa.BigInteger(), nullable=True),
        sa.Column("units_sighted", sa.BigInteger(), nullable=True),
        sa.Column("receipt_delivery", sa.Text(), nullable=True),
        sa.Column("receipt_digest", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("rated_by", sa.Text(), nullable=True),
        sa.Column("waived_by", sa.Text(), nullable=True),
        sa.Column("waiver_ground", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unresolved_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(mode = 'delegated') = (partner IS NOT NULL)", name=op.f("ck_audits_delegated_to")
        ),
        sa.CheckConstraint(
            "state <> 'closed' OR outcome IS NOT NULL", name=op.f("ck_audits_closed_rated")
        ),
        sa.CheckConstraint(
            "state <> 'closed' OR waived_by IS NOT NULL OR (mode_carried_out IS NOT NULL AND units_expected IS NOT NULL AND coalesce(receipt_delivery, receipt_digest) IS NOT NULL)",
            name=op.f("ck_audits_closed_whole"),
        ),
        sa.CheckConstraint(
            "(override_by IS NULL) = (override_ground IS NULL)",
            name=op.f("ck_audits_whole_override"),
        ),
        sa.CheckConstraint(
            "(units_expected IS NULL) = (units_sighted IS NULL) AND units_sighted BETWEEN 0 AND units_expected",
            name=op.f("ck_audits_coverage"),
        ),
        sa.CheckConstraint(
            "(waived_by IS NULL) = (waiver_ground IS NULL) AND waived_by IS DISTINCT FROM coalesce(assignee, opened_by) AND (waived_by IS NULL OR waived_by IS DISTINCT FROM rated_by)",
            name=op.f("ck_audits_second_person"),
        ),
        sa.CheckConstraint(
            "receipt_delivery IS NULL OR receipt_digest IS NULL", name=op.f("ck_audits_one_receipt")
        ),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_audits_license_id_licenses")
        ),
        sa.ForeignKeyConstraint(
            ["party"], ["parties.reference"], name=op.f("fk_audits_party_parties")
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.reference"], name=op.f("fk_audits_site_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
        sa.UniqueConstraint("number", name=op.f("uq_audits_number")),
    )
    op.create_index(op.f("ix_audits_assignee"), "audits", ["assignee"], unique=False)
    op.create_index(op.f("ix_audits_created_at_id"), "audits", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_audits_license_id_planned_for"),
        "audits",
        ["license_id", "planned_for"],
        unique=False,
    )
    op.create_index(
        "ix_audits_to_look_at",
        "audits",
        ["next_look_at"],
        unique=False,
        postgresql_where="next_look_at IS NOT NULL",
    )
    op.create_table(
        "audit_actions",
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("for_party", sa.Boolean(), nullable=False),
        sa.Column("recommended_by", sa.Text(), nullable=False),
        sa.Column("recommended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_note", sa.Text(), nullable=True),
        sa.Column("waived_by", sa.Text(), nullable=True),
        sa.Column("waived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waiver_ground", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(done_at IS NULL) = (done_by IS NULL)", name=op.f("ck_audit_actions_whole_done")
        ),
        sa.CheckConstraint(
            "(waived_at IS NULL) = (waived_by IS NULL) AND (waived_at IS NULL) = (waiver_ground IS NULL)",
            name=op.f("ck_audit_actions_whole_waiver"),
        ),
        sa.CheckConstraint(
            "done_at IS NULL OR waived_at IS NULL", name=op.f("ck_audit_actions_one_end")
        ),
        sa.CheckConstraint(
            "waived_by <> recommended_by", name=op.f("ck_audit_actions_second_person")
        ),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_audit_actions_audit_id_audits")
        ),
        sa.PrimaryKeyConstraint("audit_id", "number", name=op.f("pk_audit_actions")),
    )
    op.create_table(
        "audit_ratings",
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("rated_by", sa.Text(), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'unfavorable') = (cardinality(reasons) > 0)",
            name=op.f("ck_audit_ratings_reasons_given"),
        ),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_audit_ratings_audit_id_audits")
        ),
        sa.PrimaryKeyConstraint("audit_id", "version", name=op.f("pk_audit_ratings")),
    )
    op.create_table(
        "audit_reports",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("after_version", sa.BigInteger(), nullable=False),
        sa.Column("linked_by", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_audit_reports_audit_id_audits")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["reports.id"], name=op.f("fk_audit_reports_report_id_reports")
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_audit_reports")),
    )
    op.create_index(op.f("ix_audit_reports_audit_id"), "audit_reports", ["audit_id"], unique=False)
    op.create_table(
        "audit_rungs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_audit_rungs_audit_id_audits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_rungs")),
    )
    op.create_index(
        "ix_audit_rungs_standing",
        "audit_rungs",
        ["audit_id", "rung"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "audit_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=True),
        sa.Column("office", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("clock_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("sent", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("responsible", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_audit_steps_audit_id_audits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_steps")),
    )
    op.create_index(
        op.f("ix_audit_steps_audit_id_at_id"), "audit_steps", ["audit_id", "at", "id"], unique=False
    )
    op.create_index(
        "ix_audit_steps_reference",
        "audit_steps",
        ["audit_id", "reference"],
        unique=True,
        postgresql_where="reference IS NOT NULL",
    )
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )


def downgrade() -> None:
    op.drop_index(
        "ix_audit_steps_reference",
        table_name="audit_steps",
        postgresql_where="reference IS NOT NULL",
    )
    op.drop_index(op.f("ix_audit_steps_audit_id_at_id"), table_name="audit_steps")
    op.drop_table("audit_steps")
    op.drop_index(
        "ix_audit_rungs_standing", table_name="audit_rungs", postgresql_where="ended_at IS NULL"
    )
    op.drop_table("audit_rungs")
    op.drop_index(op.f("ix_audit_reports_audit_id"), table_name="audit_reports")
    op.drop_table("audit_reports")
    op.drop_table("audit_ratings")
    op.drop_table("audit_actions")
    op.drop_index(
        "ix_audits_to_look_at", table_name="audits", postgresql_where="next_look_at IS NOT NULL"
    )
    op.drop_index(op.f("ix_audits_license_id_planned_for"), table_name="audits")
    op.drop_index(op.f("ix_audits_created_at_id"), table_name="audits")
    op.drop_index(op.f("ix_audits_assignee"), table_name="audits")
    op.drop_table("audits")
    op.drop_table("audit_numbers")
