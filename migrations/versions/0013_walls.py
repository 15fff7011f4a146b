"""Walls inside the database: roles that own nothing, row-level security, tables only added to.

The policies read what `app/walls.py` says at the beginning of each transaction. A later migration
that makes a table walls it in the same way; a test tells if it did not.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROLE = "(SELECT current_setting('app.role', true))"
PARTY = "(SELECT nullif(current_setting('app.party', true), ''))"
OWNER = "(SELECT nullif(current_setting('app.owner', true), ''))"
NAME = "(SELECT nullif(current_setting('app.name', true), ''))"
KEY = f"(SELECT split_part({NAME}, ':', 2))"

WRITES = f"{ROLE} IN ('licensing_officer', 'inspector', 'reviewer', 'supervisor')"
READS = (
    f"{ROLE} IN ('licensing_officer', 'inspector', 'reviewer', 'supervisor', 'auditor',"
    " 'dashboard')"
)
JUDGE = f"{ROLE} = 'judge'"
ANYBODY = f"{ROLE} <> ''"


def own(table: str, column: str = "license_id", of: str = "id") -> str:
    """Say that a row belongs to a license of the asker."""
    return (
        f"EXISTS (SELECT FROM licenses own WHERE own.{of} = {table}.{column}"
        f" AND own.exporter = {PARTY})"
    )


def under(table: str, column: str, parent: str) -> str:
    """Say that a row belongs to another that the asker may see."""
    return f"EXISTS (SELECT FROM {parent} above WHERE above.id = {table}.{column})"


OF_LICENSES = (
    "amendments",
    "conditions",
    "custody",
    "deliveries",
    "documents",
    "form_submissions",
    "forms",
    "ledger_entries",
    "license_lines",
    "license_parties",
    "license_sites",
    "license_states",
    "obligations",
    "readings",
    "reports",
    "shadow_findings",
    "shipments",
    "statements",
    "strange_readings",
    "transfers",
    "unassessed",
    "units",
)
UNDER_OTHERS = (
    ("occurrences", "deviation_id", "deviations"),
    ("rungs", "obligation_id", "obligations"),
    ("waivers", "obligation_id", "obligations"),
    ("audit_actions", "audit_id", "audits"),
    ("audit_ratings", "audit_id", "audits"),
    ("audit_reports", "audit_id", "audits"),
    ("audit_rungs", "audit_id", "audits"),
    ("audit_steps", "audit_id", "audits"),
    ("draws", "audit_id", "audits"),
    ("document_decisions", "document_id", "documents"),
)
FOR_THE_AUTHORITY = (
    "audit_plans",
    "audit_visits",
    "audit_numbers",
    "draw_seeds",
    "form_attachments",
)
FOR_MONITORS = ("aliases", "screenings", "screening_hits", "hit_decisions")

# Of each table: who may see a row, who may add it or change it to what it then is.
POLICIES: dict[str, tuple[str, str]] = {
    "licenses": (f"{READS} OR exporter = {PARTY}", f"{WRITES} OR exporter = {PARTY}"),
    "deviations": (
        f"{READS} OR exporter = {PARTY} OR ({JUDGE} AND {own('deviations')})",
        f"{WRITES} OR ({JUDGE} AND {own('deviations')})",
    ),
    "alerts": (
        f"{READS} OR party = {PARTY} OR ({JUDGE} AND {own('alerts', 'license', 'number')})",
        f"{WRITES} OR ({JUDGE} AND {own('alerts', 'license', 'number')})",
    ),
    "audits": (
        f"{READS} OR (({JUDGE} OR revealed_at IS NOT NULL) AND {own('audits')})",
        f"{WRITES} OR ({JUDGE} AND {own('audits')})",
    ),
    "parties": (
        (
            f"{READS} OR {JUDGE} OR reference = {PARTY}"
            " OR EXISTS (SELECT FROM license_parties takes WHERE takes.party_id = parties.id)"
        ),
        f"{WRITES} OR {JUDGE}",
    ),
    "sites": (
        (
            f"{READS} OR {JUDGE}"
            " OR EXISTS (SELECT FROM license_sites has WHERE has.site_id = sites.id)"
        ),
        f"{WRITES} OR {JUDGE}",
    ),
    "party_standings": (f"{READS} OR {JUDGE} OR party = {PARTY}", f"{WRITES} OR {JUDGE}"),
    "party_causes": (f"{READS} OR {JUDGE} OR party = {PARTY}", f"{WRITES} OR {JUDGE}"),
    "custody_captures": (f"{READS} OR said_by = {PARTY}", f"{WRITES} OR said_by = {PARTY}"),
    "custody_events": (
        f"{READS} OR said_by = {PARTY} OR ({JUDGE} AND {own('custody_events')})",
        f"{WRITES} OR said_by = {PARTY}",
    ),
    "reading_batches": (f"{READS} OR filed_by = {NAME}", f"filed_by = {NAME}"),
    "evidence": (ANYBODY, ANYBODY),
    "evidence_filings": (f"{READS} OR owner = {OWNER}", f"owner = {OWNER}"),
    "answers_given": (f"owner = {OWNER}", f"owner = {OWNER}"),
    "calendars": (
        f"{ROLE} IN ('door', 'administrator') OR key_id = {KEY}",
        f"{ROLE} = 'administrator' OR key_id = {KEY}",
    ),
    "keys": (f"{WRITES} OR {ROLE} IN ('door', 'administrator')", f"{ROLE} = 'administrator'"),
    "journal": (f"{READS} OR party = {PARTY}", "false"),
    "journal_pending": (f"{READS} OR party = {PARTY}", ANYBODY),
    "journal_disclosures": (READS, ANYBODY),
}
POLICIES |= {
    table: (f"{READS} OR {own(table)}", f"{WRITES} OR {own(table)}") for table in OF_LICENSES
}
POLICIES |= {
    table: (f"{READS} OR {under(*where)}", f"{WRITES} OR {under(*where)}")
    for table, *rest in UNDER_OTHERS
    for where in [(table, *rest)]
}
POLICIES |= dict.fromkeys(FOR_THE_AUTHORITY, (READS, WRITES))
POLICIES |= dict.fromkeys(FOR_MONITORS, (f"{READS} OR {JUDGE}", f"{WRITES} OR {JUDGE}"))

# What anybody may see, as it is published, and nobody but the sequencer changes.
OPEN = ("journal_head", "journal_tiles", "journal_keys", "journal_checkpoints")

# What a request changes after it was added; everything else it only adds to.
CHANGED = (
    "alerts",
    "amendments",
    "answers_given",
    "audit_actions",
    "audit_numbers",
    "audit_plans",
    "audit_rungs",
    "audits",
    "calendars",
    "conditions",
    "custody",
    "deviations",
    "draws",
    "evidence",
    "licenses",
    "obligations",
    "occurrences",
    "party_causes",
    "shadow_findings",
    "statements",
    "transfers",
    "unassessed",
    "units",
    "waivers",
)
# Rows are held by locking them, which PostgreSQL allows only those who might change them; triggers
# keep these as they are.
HELD = ("parties", "screening_hits")

ONLY_ADDED = (
    "aliases",
    "custody_captures",
    "custody_events",
    "deliveries",
    "document_decisions",
    "documents",
    "evidence_filings",
    "hit_decisions",
    "ledger_entries",
    "license_lines",
    "license_parties",
    "license_sites",
    "license_states",
    "parties",
    "reading_batches",
    "readings",
    "reports",
    "screening_hits",
    "screenings",
    "shipments",
    "sites",
    "strange_readings",
    "units",
)
# Of these only what ends them is ever written later.
ENDED = {
    "amendments": ("approved_by", "approved_at"),
    "conditions": ("effective_to",),
    "custody": ("corrected_at",),
    "statements": ("superseded_at",),
    "waivers": ("approved_by", "approved_at", "refused_by", "refused_at"),
}

# Two names are the same person's when they differ only in the role.
SECOND_PERSON = {
    "amendments": ("approved_by", "proposed_by"),
    "transfers": ("decided_by", "asked_by"),
    "waivers": ("approved_by", "proposed_by"),
}

FUNCTIONS = """
CREATE FUNCTION keep_all_but() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        RAISE EXCEPTION 'of % only what ends a row is written later', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION person_of(name text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN strpos(name, ':') > 0 THEN split_part(name, ':', 2) ELSE name END $$;

CREATE FUNCTION condition_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amendment_id IS NULL THEN
        IF NEW.version <> 1 OR NEW.created_at <>
            (SELECT created_at FROM licenses WHERE id = NEW.license_id)
        THEN
            RAISE EXCEPTION 'conditions change by an amendment that a second person approved'
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NOT EXISTS (
        SELECT FROM amendments WHERE id = NEW.amendment_id AND license_id = NEW.license_id
        AND approved_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'amendment % is not approved by a second person', NEW.amendment_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION document_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM documents WHERE id = NEW.document_id
               AND person_of(filed_by) = person_of(NEW.decided_by)) THEN
        RAISE EXCEPTION 'who filed a document does not decide on it'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION hit_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM screening_hits h JOIN screenings s ON s.id = h.screening_id
               WHERE h.id = NEW.hit_id
               AND person_of(s.screened_by) = person_of(NEW.decided_by)) THEN
        RAISE EXCEPTION 'who screened does not decide on what was hit'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION waived_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM waivers WHERE obligation_id = NEW.id AND approved_at IS NOT NULL
                   AND expires_at >= NEW.waived_until) THEN
        RAISE EXCEPTION 'an obligation is waived by two persons'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION attend_all_of(named text, since timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH held AS MATERIALIZED (
        SELECT id FROM licenses
        WHERE id IN (SELECT l.license_id FROM license_parties l JOIN parties p ON p.id = l.party_id
                     WHERE p.reference = named)
        ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE licenses SET attend_from = least(attend_from, since) FROM held
    WHERE licenses.id = held.id
$$;

CREATE FUNCTION make_month_of_readings(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := format('readings_%s', to_char(month, 'YYYY_MM'));
    begins timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    ends timestamptz := (date_trunc('month', month::timestamp) + interval '1 month')
        AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(format('public.%I', name)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE readings INCLUDING DEFAULTS)', name);
    IF EXISTS (SELECT FROM readings_default WHERE observed_at >= begins AND observed_at < ends) THEN
        ALTER TABLE readings_default DISABLE TRIGGER USER;
        EXECUTE format('WITH moved AS (DELETE FROM readings_default WHERE observed_at >= %L'
                       ' AND observed_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                       begins, ends, name);
        ALTER TABLE readings_default ENABLE TRIGGER USER;
    END IF;
    EXECUTE format('ALTER TABLE readings ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, begins, ends);
    RETURN name;
END $$;
"""
BY_TWO = (
    ("condition_by_two", "INSERT ON conditions", ""),
    ("document_by_two", "INSERT ON document_decisions", ""),
    ("hit_by_two", "INSERT ON hit_decisions", ""),
    (
        "waived_by_two",
        "UPDATE ON obligations",
        " WHEN (NEW.waived_until IS NOT NULL AND NEW.waived_until IS DISTINCT FROM OLD.waived_until)",
    ),
)
WITH_RIGHTS = ("attend_all_of(text, timestamptz)", "make_month_of_readings(date)")

MAKE_ROLES = """
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['endwatch_api', 'endwatch_jobs'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = part) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', part);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this cluster was migrated at the same time
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = part AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'role % may go past row-level security: take that from it', part;
        END IF;
        IF NOT pg_has_role(part, 'USAGE') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', part);
        END IF;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION USING MESSAGE = format('this user may neither make nor take the roles that the'
        ' service works as: have CREATE ROLE endwatch_api; CREATE ROLE endwatch_jobs;'
        ' GRANT endwatch_api, endwatch_jobs TO %I; run, and migrate again', CURRENT_USER);
END $$
"""
GRANTS = """
GRANT USAGE ON SCHEMA public TO endwatch_api, endwatch_jobs;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO endwatch_jobs;
GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO endwatch_jobs;
GRANT DELETE ON journal_pending, draw_seeds TO endwatch_jobs;
GRANT SELECT, INSERT ON journal_cosignatures TO endwatch_api;
GRANT SELECT ON alembic_version TO endwatch_api;
GRANT DELETE ON draw_seeds TO endwatch_api;
"""


def upgrade() -> None:
    op.execute(MAKE_ROLES)
    op.execute(FUNCTIONS)
    for function in WITH_RIGHTS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION attend_all_of TO endwatch_api, endwatch_jobs")
    op.execute("GRANT EXECUTE ON FUNCTION make_month_of_readings TO endwatch_jobs")
    op.execute(GRANTS)
    for table, (seen, changed) in POLICIES.items():
        _wall(table, seen, changed)
    for table in OPEN:
        op.execute(f"GRANT SELECT ON {table} TO endwatch_api")
    op.execute(f"GRANT UPDATE ON {', '.join([*CHANGED, *HELD])} TO endwatch_api")
    _keep()


def _wall(table: str, seen: str, changed: str) -> None:
    """Show and take rows of a table as the asker's policy says; to the jobs, all of them."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT ON {table} TO endwatch_api")
    for name, what in (
        ("seen", f"SELECT TO endwatch_api USING ({seen})"),
        ("added", f"INSERT TO endwatch_api WITH CHECK ({changed})"),
        ("changed", f"UPDATE TO endwatch_api USING ({changed}) WITH CHECK ({changed})"),
        ("removed", f"DELETE TO endwatch_api USING ({changed})"),
        ("jobs", "ALL TO endwatch_jobs USING (true) WITH CHECK (true)"),
    ):
        op.execute(f"CREATE POLICY {name} ON {table} FOR {what}")


def _keep() -> None:
    """Let the database itself refuse changes of what is recorded, and lonely decisions."""
    for table in ONLY_ADDED:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
    for table, columns in ENDED.items():
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_only_end BEFORE UPDATE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION keep_all_but({', '.join(columns)})"
        )
    for table, (second, first) in SECOND_PERSON.items():
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_second_person,"
            f" ADD CONSTRAINT ck_{table}_second_person"
            f" CHECK (person_of({second}) <> person_of({first}))"
        )
    for function, when, unless in BY_TWO:
        op.execute(
            f"CREATE TRIGGER {function} BEFORE {when} FOR EACH ROW{unless}"
            f" EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    """Take the walls down. The roles stay: other databases of the cluster may use them."""
    for function, when, _ in BY_TWO:
        op.execute(f"DROP TRIGGER {function} ON {when.rpartition(' ')[2]}")
    for table, (second, first) in SECOND_PERSON.items():
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_second_person,"
            f" ADD CONSTRAINT ck_{table}_second_person CHECK ({second} <> {first})"
        )
    for table in [*ONLY_ADDED, *ENDED]:
        op.execute(f"DROP TRIGGER {table}_are_kept ON {table}")
    for table in ENDED:
        op.execute(f"DROP TRIGGER {table}_only_end ON {table}")
    for table in POLICIES:
        for name in ("seen", "added", "changed", "removed", "jobs"):
            op.execute(f"DROP POLICY {name} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    for function in [
        *WITH_RIGHTS,
        *(one for one, *_ in BY_TWO),
        "keep_all_but()",
        "person_of(text)",
    ]:
        op.execute(f"DROP FUNCTION {function if '(' in function else function + '()'}")
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM endwatch_api, endwatch_jobs")
    op.execute("REVOKE ALL ON SCHEMA public FROM endwatch_api, endwatch_jobs")
