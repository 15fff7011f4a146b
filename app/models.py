"""Every table, for migrations and for tests that compare the models with the database."""

from app.access import models as _access
from app.alerts import models as _alerts
from app.assessments import models as _assessments
from app.audits import draws as _draws
from app.audits import forms as _forms
from app.audits import models as _audits
from app.audits import plans as _plans
from app.database import Base
from app.deviations import models as _deviations
from app.evidence import models as _evidence
from app.journal import models as _journal
from app.licenses import models as _licenses
from app.obligations import models as _obligations
from app.parties import models as _parties
from app.people import models as _people
from app.reports import models as _reports
from app.shipments import models as _shipments

TABLES = (
    _access,
    _alerts,
    _assessments,
    _audits,
    _deviations,
    _draws,
    _evidence,
    _forms,
    _journal,
    _licenses,
    _obligations,
    _parties,
    _people,
    _plans,
    _reports,
    _shipments,
)

__all__ = ["TABLES", "Base"]
