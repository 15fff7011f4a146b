"""The tree that seals the journal, its keys, checkpoints and cosignatures, and what may be erased.

Entries from before get a nonce here; the sequencer builds the tree over them when it next leads.
Triggers keep these tables as they are named: what is recorded is only added to.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
ONLY_ADDED = ("journal", "journal_keys", "journal_checkpoints", "journal_cosignatures")
GUARDED = (*ONLY_ADDED, "journal_tiles", "journal_disclosures")

FUNCTIONS = """
CREATE FUNCTION journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION journal_grow_tile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.level, NEW.place) IS DISTINCT FROM (OLD.level, OLD.place)
        OR substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) IS DISTINCT FROM OLD.hashes
    THEN
        RAISE EXCEPTION 'a tile of the journal is only ever added to'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION journal_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.commitment, NEW.recorded_at) IS DISTINCT FROM (OLD.commitment, OLD.recorded_at)
        OR NEW.salt IS NOT NULL OR OLD.salt IS NULL
    THEN
        RAISE EXCEPTION 'what a commitment stands for can be erased, and nothing else'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    _entries()
    _tables()
    op.execute(FUNCTIONS)
    for table in GUARDED:
        op.execute(
            f"CREATE TRIGGER keep_whole BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse()"
        )
    for table in ONLY_ADDED:
        op.execute(
            f"CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION journal_refuse()"
        )
    for table, function in (
        ("journal_tiles", "journal_grow_tile"),
        ("journal_disclosures", "journal_erase_only"),
    ):
        op.execute(
            f"CREATE TRIGGER keep BEFORE DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION journal_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER change BEFORE UPDATE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def _entries() -> None:
    """Give entries a nonce and a receipt. The place kept for a hash goes: tiles hold the hashes."""
    for table in ("journal_pending", "journal"):
        op.add_column(table, sa.Column("receipt", sa.Uuid(), nullable=True))
        op.add_column(
            table,
            sa.Column(
                "nonce", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False
            ),
        )
    op.drop_column("journal", "leaf")
    op.create_index(
        "ix_journal_receipt",
        "journal",
        ["receipt"],
        unique=False,
        postgresql_where="receipt IS NOT NULL",
    )
    op.add_column(
        "journal_head", sa.Column("sealed", sa.BigInteger(), server_default="0", nullable=False)
    )


def _tables() -> None:
    op.create_table(
        "journal_tiles",
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0",
            name=op.f("ck_journal_tiles_whole_hashes"),
        ),
        sa.PrimaryKeyConstraint("level", "place", name=op.f("pk_journal_tiles")),
    )
    # Hashes do not compress: do not try.
    op.execute("ALTER TABLE journal_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL")
    op.create_table(
        "journal_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_keys")),
        sa.UniqueConstraint("verifier", name=op.f("uq_journal_keys_verifier")),
    )
    op.create_table(
        "journal_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_journal_checkpoints")),
    )
    op.create_table(
        "journal_cosignatures",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("cosigned_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["size"],
            ["journal_checkpoints.size"],
            name=op.f("fk_journal_cosignatures_size_journal_checkpoints"),
        ),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_journal_cosignatures")),
    )
    op.create_table(
        "journal_disclosures",
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("erased_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(salt IS NULL) = (erased_at IS NOT NULL) AND (salt IS NULL) = (value IS NULL)",
            name=op.f("ck_journal_disclosures_whole_or_erased"),
        ),
        sa.PrimaryKeyConstraint("commitment", name=op.f("pk_journal_disclosures")),
    )


def downgrade() -> None:
    """Take the seal off: the entries stay, without the tree and without its proofs."""
    op.execute("DROP TRIGGER keep ON journal")
    op.execute("DROP TRIGGER keep_whole ON journal")
    for table in ("cosignatures", "checkpoints", "keys", "tiles", "disclosures"):
        op.drop_table(f"journal_{table}")
    for function in ("journal_refuse", "journal_grow_tile", "journal_erase_only"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_column("journal_head", "sealed")
    op.drop_index(
        "ix_journal_receipt", table_name="journal", postgresql_where="receipt IS NOT NULL"
    )
    op.add_column("journal", sa.Column("leaf", sa.LargeBinary(), nullable=True))
    for table in ("journal_pending", "journal"):
        op.drop_column(table, "nonce")
        op.drop_column(table, "receipt")
