"""What conditions are judged by beside facts: deliveries, custody, documents, screenings.

Also what standing monitors and monitors in shadow find: neither belongs to a condition.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "screenings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("lists", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("screened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("screened_by", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["party"], ["parties.reference"], name=op.f("fk_screenings_party_parties")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screenings")),
    )
    op.create_index(
        op.f("ix_screenings_party_screened_at"),
        "screenings",
        ["party", "screened_at"],
        unique=False,
    )
    op.create_table(
        "custody",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("statement", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("from_party", sa.Text(), nullable=True),
        sa.Column("to_party", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("authorized", sa.Boolean(), nullable=True),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_custody_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody")),
    )
    op.create_index(
        op.f("ix_custody_license_id_event_serial"),
        "custody",
        ["license_id", "event", "serial"],
        unique=True,
    )
    op.create_index(
        op.f("ix_custody_license_id_serial_at"),
        "custody",
        ["license_id", "serial", "at"],
        unique=False,
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("witnessed_by", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sent", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_documents_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
    )
    op.create_index(
        op.f("ix_documents_license_id_reference"),
        "documents",
        ["license_id", "reference"],
        unique=True,
    )
    op.create_table(
        "screening_hits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["screening_id"],
            ["screenings.id"],
            name=op.f("fk_screening_hits_screening_id_screenings"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening_hits")),
    )
    op.create_index(
        op.f("ix_screening_hits_screening_id"), "screening_hits", ["screening_id"], unique=False
    )
    op.create_table(
        "shadow_findings",
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_shadow_findings_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint(
            "license_id",
            "kind",
            "version",
            "subject_kind",
            "subject",
            "reason",
            "source",
            name=op.f("pk_shadow_findings"),
        ),
    )
    op.create_table(
        "strange_readings",
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_strange_readings_license_id_licenses")
        ),
        sa.PrimaryKeyConstraint(
            "license_id", "serial", "observed_at", name=op.f("pk_strange_readings")
        ),
    )
    op.create_table(
        "document_decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_document_decisions_document_id_documents"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_decisions")),
    )
    op.create_index(
        op.f("ix_document_decisions_document_id"),
        "document_decisions",
        ["document_id"],
        unique=False,
    )
    op.create_table(
        "hit_decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hit_id", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["hit_id"], ["screening_hits.id"], name=op.f("fk_hit_decisions_hit_id_screening_hits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hit_decisions")),
    )
    op.create_index(op.f("ix_hit_decisions_hit_id"), "hit_decisions", ["hit_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("license_id", sa.BigInteger(), nullable=False),
        sa.Column("shipment_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("arrived_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("serials", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sent", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["license_id"], ["licenses.id"], name=op.f("fk_deliveries_license_id_licenses")
        ),
        sa.ForeignKeyConstraint(
            ["shipment_id"], ["shipments.id"], name=op.f("fk_deliveries_shipment_id_shipments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_license_id_reference"),
        "deliveries",
        ["license_id", "reference"],
        unique=True,
    )
    op.create_index(op.f("ix_deliveries_shipment_id"), "deliveries", ["shipment_id"], unique=False)
    op.create_index(
        "ix_statements_inventories",
        "statements",
        ["license_id", "observed_at"],
        postgresql_where="facts ? 'sighted_serials' AND superseded_at IS NULL",
    )
    op.alter_column("deviations", "condition_id", existing_type=sa.BIGINT(), nullable=True)
    op.add_column("obligations", sa.Column("item", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "occurrences",
        sa.Column(
            "sources", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
    )
    op.alter_column("occurrences", "condition_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column("unassessed", "condition_id", existing_type=sa.BIGINT(), nullable=True)


def downgrade() -> None:
    """Forget what belongs to no condition: the earlier tables have no place for it."""
    for table in ("unassessed", "occurrences", "deviations"):
        op.execute(f"DELETE FROM {table} WHERE condition_id IS NULL")  # noqa: S608 constants
    op.drop_index("ix_statements_inventories", table_name="statements")
    op.alter_column("unassessed", "condition_id", existing_type=sa.BIGINT(), nullable=False)
    op.alter_column("occurrences", "condition_id", existing_type=sa.BIGINT(), nullable=False)
    op.drop_column("occurrences", "sources")
    op.drop_column("obligations", "item")
    op.alter_column("deviations", "condition_id", existing_type=sa.BIGINT(), nullable=False)
    op.drop_index(op.f("ix_deliveries_shipment_id"), table_name="deliveries")
    op.drop_index(op.f("ix_deliveries_license_id_reference"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_hit_decisions_hit_id"), table_name="hit_decisions")
    op.drop_table("hit_decisions")
    op.drop_index(op.f("ix_document_decisions_document_id"), table_name="document_decisions")
    op.drop_table("document_decisions")
    op.drop_table("strange_readings")
    op.drop_table("shadow_findings")
    op.drop_index(op.f("ix_screening_hits_screening_id"), table_name="screening_hits")
    op.drop_table("screening_hits")
    op.drop_index(op.f("ix_documents_license_id_reference"), table_name="documents")
    op.drop_table("documents")
    op.drop_index(op.f("ix_custody_license_id_serial_at"), table_name="custody")
    op.drop_index(op.f("ix_custody_license_id_event_serial"), table_name="custody")
    op.drop_table("custody")
    op.drop_index(op.f("ix_screenings_party_screened_at"), table_name="screenings")
    op.drop_table("screenings")
