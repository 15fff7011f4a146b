"""Files handed in as evidence, and who handed them in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("object", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("camera", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_look_at", TIME, nullable=True),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("examined_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('quarantined', 'accepted', 'rejected')", name=op.f("ck_evidence_state")
        ),
        sa.CheckConstraint("digest ~ '^sha256:[0-9a-f]{64}$'", name=op.f("ck_evidence_digest")),
        sa.CheckConstraint(
            "(object IS NULL) = (wrapped_key IS NULL) AND (object IS NULL) = (key_id IS NULL)",
            name=op.f("ck_evidence_key_of_object"),
        ),
        sa.CheckConstraint(
            "state = 'rejected' OR object IS NOT NULL", name=op.f("ck_evidence_content")
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR media_type IS NOT NULL", name=op.f("ck_evidence_proven")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_evidence")),
        sa.UniqueConstraint("object", name=op.f("uq_evidence_object")),
    )
    op.create_index(op.f("ix_evidence_key_id"), "evidence", ["key_id"], unique=False)
    op.create_index(
        op.f("ix_evidence_next_look_at"),
        "evidence",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("state = 'quarantined'"),
    )
    op.create_table(
        "evidence_filings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=True),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("declared_type", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["evidence.digest"], name=op.f("fk_evidence_filings_digest_evidence")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_filings")),
    )
    op.create_index(
        op.f("ix_evidence_filings_digest_owner"),
        "evidence_filings",
        ["digest", "owner"],
        unique=True,
    )
    op.create_index(
        op.f("ix_evidence_filings_owner_received_at"),
        "evidence_filings",
        ["owner", "received_at"],
        unique=False,
    )
    op.create_foreign_key(
        op.f("fk_form_attachments_digest_evidence"),
        "form_attachments",
        "evidence",
        ["digest"],
        ["digest"],
    )


def downgrade() -> None:
    op.drop_constraint(
        op.f("fk_form_attachments_digest_evidence"), "form_attachments", type_="foreignkey"
    )
    op.drop_table("evidence_filings")
    op.drop_table("evidence")
