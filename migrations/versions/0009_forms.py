"""Forms as they were handed out to phones, filled forms, and the files that came with them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
TIME = sa.DateTime(timezone=True)
KEPT = ("forms", "form_submissions", "form_attachments")


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("xform", sa.LargeBinary(), nullable=False),
        sa.Column("checklist", JSON, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_forms_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint("license_id", "version", name=op.f("pk_forms")),
    )
    op.create_table(
        "form_submissions",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("form_version", sa.Text(), nullable=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("unlinked", sa.Text(), nullable=True),
        sa.Column("observations", JSON, nullable=False),
        sa.Column("files", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("xml", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint(
            "report_id IS NOT NULL OR unlinked IS NOT NULL",
            name=op.f("ck_form_submissions_linked"),
        ),
        sa.ForeignKeyConstraint(
            ["license_id", "form_version"],
            ["forms.license_id", "forms.version"],
            name=op.f("fk_form_submissions_license_id_form_version_forms"),
        ),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name=op.f("fk_form_submissions_audit_id_audits")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["reports.id"], name=op.f("fk_form_submissions_report_id_reports")
        ),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_form_submissions")),
        sa.UniqueConstraint("report_id", name=op.f("uq_form_submissions_report_id")),
    )
    op.create_index(
        op.f("ix_form_submissions_audit_id"), "form_submissions", ["audit_id"], unique=False
    )
    op.create_table(
        "form_attachments",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["form_submissions.instance_id"],
            name=op.f("fk_form_attachments_instance_id_form_submissions"),
        ),
        sa.PrimaryKeyConstraint("instance_id", "name", name=op.f("pk_form_attachments")),
    )
    op.create_index(
        op.f("ix_form_attachments_digest"), "form_attachments", ["digest"], unique=False
    )
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )


def downgrade() -> None:
    """Forget forms, filled forms and their files; the reports that were made of them stay."""
    op.drop_index(op.f("ix_form_attachments_digest"), table_name="form_attachments")
    op.drop_table("form_attachments")
    op.drop_index(op.f("ix_form_submissions_audit_id"), table_name="form_submissions")
    op.drop_table("form_submissions")
    op.drop_table("forms")
