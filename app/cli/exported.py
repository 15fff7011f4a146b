"""What an export holds of each table: the columns that the entries of the journal tell of.

A row's name begins with the name of what the entries about it are about (`license:`, `audit:` ...), and
goes on after a slash where there are several; so `verify.py` knows which rows wait for an entry. What
is left out here, and why, stands in docs/journal.md.
"""

# ruff: noqa: S608 these are our own tables and columns

_SENT = "filed_by, received_at, sent"
_NUMBER = "row_number() OVER (PARTITION BY {0} ORDER BY {1})"


def _numbered(by: str, order: str = "id") -> str:
    """Number the rows of one thing in the order they came."""
    return _NUMBER.format(by, order)


_OF_LICENSE = "JOIN licenses l ON l.id = t.license_id"
_OF_AUDIT = "JOIN audits a ON a.id = t.audit_id"

TABLES = {
    "alerts": "SELECT id::text AS name, id, severity, state, title, license, party, country, kind,"
    " deviation, obligation, audit, raised_at, changed_at FROM alerts",
    "amendments": "SELECT l.number || '/' || t.id AS name, t.ground, t.conditions, t.proposed_by,"
    f" t.proposed_at, t.approved_by, t.approved_at FROM amendments t {_OF_LICENSE}",
    "audit_actions": "SELECT a.number || '/' || t.number AS name, t.text, t.due_on, t.for_party,"
    " t.recommended_by, t.recommended_at, t.done_by, t.done_at, t.done_note, t.waived_by, t.waived_at,"
    f" t.waiver_ground FROM audit_actions t {_OF_AUDIT}",
    "audit_ratings": f"SELECT a.number || '/' || t.version AS name, t.* FROM audit_ratings t {_OF_AUDIT}",
    "audit_reports": "SELECT a.number || '/' || t.report_id AS name, t.linked_by, t.linked_at"
    f" FROM audit_reports t {_OF_AUDIT}",
    "audit_rungs": "SELECT a.number || '/' || t.rung || '/' ||"
    f" {_numbered('t.audit_id, t.rung', 't.id')} AS name, t.reached_at FROM audit_rungs t {_OF_AUDIT}",
    "audit_steps": "SELECT a.number || '/' || t.id AS name, t.step, t.at, t.by, t.to, t.state,"
    f" t.responsible, t.recorded_at, t.sent - 'note' AS sent FROM audit_steps t {_OF_AUDIT}",
    "audits": "SELECT number AS name, mode, partner, site, party, opened_by, override_by,"
    " override_ground, state, planned_for, offered_to, assignee, notified_at, revealed_at, started_at,"
    " reported_at, closed_at, unresolved_since, outcome, reasons, mode_carried_out, units_expected,"
    " units_sighted, receipt_delivery, receipt_digest, waived_by, waiver_ground FROM audits",
    "batches": "SELECT b.id::text AS name, 'sha256:' || encode(root, 'hex') AS root, filed_by,"
    " received_at, (SELECT count(*) FROM readings r WHERE r.batch_id = b.id) AS readings"
    " FROM reading_batches b",
    "conditions": "SELECT l.number || '/' || t.key || '/' || t.version AS name, t.kind, t.text, t.terms,"
    " t.source, t.binds, t.lines, t.severity, t.effective_from, t.effective_to"
    f" FROM conditions t {_OF_LICENSE}",
    "custody": "SELECT l.number || '/' || t.event || '/' || t.serial AS name, t.event, t.at,"
    " t.disposition, t.from_party, t.to_party, t.site, t.authorized, t.corrected_at, t.filed_by,"
    f" t.received_at FROM custody t {_OF_LICENSE}",
    "deliveries": "SELECT l.number || '/' || t.reference AS name, t.reference, t.arrived_on,"
    f" t.milestone, t.quantity, t.serials, t.site, {_SENT} FROM deliveries t {_OF_LICENSE}",
    "deviations": "SELECT id::text AS name, state, severity, occurrences, cleared_at, withdrawn_at"
    " FROM deviations",
    "document_decisions": f"SELECT document_id || '/' || {_numbered('document_id')} AS name, verdict,"
    " ground, effective_on, decided_by, decided_at FROM document_decisions",
    "documents": "SELECT id::text AS name, reference, kind, about, issuer, issued_on, valid_until,"
    f" witnessed_by, evidence, {_SENT} FROM documents",
    "draws": "SELECT a.number AS name, t.site, t.units, t.missing, t.probability, t.size,"
    " encode(t.commitment, 'hex') AS commitment, t.committed_at, encode(t.seed, 'hex') AS seed, t.drawn,"
    f" t.revealed_at FROM draws t {_OF_AUDIT}",
    "hit_decisions": "SELECT h.screening_id || '/' || t.hit_id || '/' ||"
    f" {_numbered('t.hit_id', 't.id')} AS name, t.confirmed, t.ground, t.decided_by, t.decided_at"
    " FROM hit_decisions t JOIN screening_hits h ON h.id = t.hit_id",
    "keys": "SELECT id AS name, role, party, scopes, created_at, expires_at, revoked_at, rotated_at,"
    " previous_until FROM keys",
    "ledger_entries": "SELECT l.number || '/' || s.reference AS name, t.account, t.quantity, t.value,"
    f" t.recorded_at FROM ledger_entries t JOIN shipments s ON s.id = t.shipment_id {_OF_LICENSE}",
    "license_lines": "SELECT l.number || '/' || t.line AS name, t.line, t.description,"
    " t.classification, t.modality, t.quantity, t.unit, t.value_amount, t.value_currency"
    f" FROM license_lines t {_OF_LICENSE}",
    "license_states": f"SELECT l.number || '/' || {_numbered('t.license_id', 't.id')} AS name, t.state,"
    f" t.ground, t.effective_on, t.actor, t.recorded_at FROM license_states t {_OF_LICENSE}",
    "licenses": "SELECT number AS name, state, exporter, granted_on, expires_on, end_use, time_zone"
    " FROM licenses",
    "obligations": "SELECT id::text AS name, key, subject, slot, item, state, due_at, met_at, ground"
    " FROM obligations WHERE state NOT IN ('upcoming', 'due')",
    "party_standings": f"SELECT party || '/' || {_numbered('party')} AS name, standing, since, ground,"
    " source, decided_by, recorded_at FROM party_standings",
    "people": "SELECT id AS name, role, party, administers_party, state, made_at, ended_at FROM people",
    "reports": "SELECT id::text AS name, 'sha256:' || encode(digest, 'hex') AS digest, kind, reference,"
    " corrects, filed_by, received_at, body FROM reports",
    "rungs": "SELECT obligation_id || '/' || to_char(due_at AT TIME ZONE 'UTC',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') || '/' || rung AS name, recorded_at FROM rungs"""
    " WHERE NOT skipped",
    "screening_hits": "SELECT screening_id || '/' || id AS name, list, entry, listed_on, owner"
    " FROM screening_hits",
    "screenings": "SELECT id::text AS name, party, lists, screened_at, screened_by, received_at"
    " FROM screenings",
    "shipments": "SELECT l.number || '/' || t.reference AS name, t.reference, t.shipped_on, t.quantity,"
    f" t.consignee, t.site, t.itn, t.mrn, {_SENT} FROM shipments t {_OF_LICENSE}",
    "signatures": "SELECT report_id::text AS name, kind, grade, digest, payload, received_at,"
    " coalesce(signature, file) AS signature FROM report_signatures",
    "signing_key_revocations": "SELECT key_id::text AS name, ground, revoked_at, revoked_by"
    " FROM signing_key_revocations",
    "signing_keys": "SELECT id::text AS name, party, kid, algorithm, jwk, fingerprint, valid_from,"
    " valid_until, proof, registered_at, registered_by FROM signing_keys",
    "statements": "SELECT report_id || '/' || number AS name, subject, facts, observed_at, received_at,"
    " superseded_at FROM statements WHERE report_id NOT IN (SELECT statement FROM custody)",
    "transfers": "SELECT l.number || '/' || t.reference AS name, t.serials, t.to_party, t.to_site,"
    " t.role, t.ground, t.sent, t.asked_by, t.asked_at, t.state, t.decision_ground, t.decided_by,"
    f" t.decided_at, t.acknowledged_at, t.acknowledgment FROM transfers t {_OF_LICENSE}",
    "units": "SELECT l.number || '/' || s.reference || '/' || t.serial AS name, t.line, t.consignee,"
    f" t.site, t.shipped_on FROM units t JOIN shipments s ON s.id = t.shipment_id {_OF_LICENSE}",
    "waivers": "SELECT obligation_id || '/' || id AS name, ground, expires_on, proposed_by, proposed_at,"
    " approved_by, approved_at, refused_by, refused_at FROM waivers",
}


def query(table: str) -> str:
    """Write the query for the rows of a table: their names, and what is told of them as JSON."""
    return f"SELECT x.name, (to_jsonb(x) - 'name')::text AS told FROM ({TABLES[table]}) x"
