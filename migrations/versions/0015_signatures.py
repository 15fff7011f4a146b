"""Keys that exporters sign with, what revoked them, and the signatures that came with reports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _keys()
    _revocations()
    _signatures()


def _keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("names", sa.Text(), nullable=True),
        sa.Column("rooted", sa.Boolean(), nullable=True),
        sa.Column("valid_from", TIME, nullable=False),
        sa.Column("valid_until", TIME, nullable=False),
        sa.Column("registered_at", TIME, nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "algorithm IN ('Ed25519', 'ES256', 'ES384', 'PS256')",
            name=op.f("ck_signing_keys_algorithm"),
        ),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_signing_keys_in_order")),
        sa.CheckConstraint(
            "(certificate IS NULL) = (fingerprint IS NULL) AND (certificate IS NULL) ="
            " (names IS NULL) AND (certificate IS NOT NULL OR rooted IS NULL)",
            name=op.f("ck_signing_keys_whole_certificate"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_index(
        op.f("ix_signing_keys_party_kid"), "signing_keys", ["party", "kid"], unique=True
    )


def _revocations() -> None:
    op.create_table(
        "signing_key_revocations",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("compromised_since", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["signing_keys.id"],
            name=op.f("fk_signing_key_revocations_key_id_signing_keys"),
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_key_revocations")),
    )


def _signatures() -> None:
    op.create_table(
        "report_signatures",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=True),
        sa.Column("signed_at", TIME, nullable=True),
        sa.Column("verified", postgresql.JSONB(), nullable=False),
        sa.Column("not_verified", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint(
            "kind IN ('jws', 'scanned', 'pdf')", name=op.f("ck_report_signatures_kind")
        ),
        sa.CheckConstraint(
            "(signature IS NULL) <> (file IS NULL)", name=op.f("ck_report_signatures_one_source")
        ),
        sa.CheckConstraint(
            "kind <> 'jws' OR key_id IS NOT NULL", name=op.f("ck_report_signatures_key_of_jws")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["reports.id"], name=op.f("fk_report_signatures_report_id_reports")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["signing_keys.id"], name=op.f("fk_report_signatures_key_id_signing_keys")
        ),
        sa.ForeignKeyConstraint(
            ["file"], ["evidence.digest"], name=op.f("fk_report_signatures_file_evidence")
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_report_signatures")),
    )
    op.create_index(
        op.f("ix_report_signatures_key_id_received_at"),
        "report_signatures",
        ["key_id", "received_at"],
        unique=False,
    )


def downgrade() -> None:
    """Forget signatures and the keys they are by; reports keep the grade they were judged with."""
    op.drop_table("report_signatures")
    op.drop_table("signing_key_revocations")
    op.drop_table("signing_keys")
