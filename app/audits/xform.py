"""The checklist as an XForm (ODK XForms specification), made from the XLSForm by pyxform."""

from collections import OrderedDict
from threading import Lock

from pyxform.xls2xform import convert  # type: ignore[import-untyped]

from app.audits import xlsform
from app.audits.questions import Checklist

MEDIA_TYPE = "text/xml"
REMEMBERED = 200

_forms: "OrderedDict[tuple[str, str], bytes]" = OrderedDict()
_lock = Lock()


def form(checklist: Checklist) -> bytes:
    """Give the XForm of a checklist; the same version of it is made once a process."""
    key = (checklist.license, checklist.version)
    with _lock:
        made = _forms.get(key)
        if made is None:
            made = _forms[key] = made_of(checklist)
        _forms.move_to_end(key)
        if len(_forms) > REMEMBERED:
            _forms.popitem(last=False)
        return made


def made_of(checklist: Checklist) -> bytes:
    """Make the XForm of a checklist; that pyxform has nothing to warn of is held by a test."""
    return str(convert(xlsform.plain(checklist), form_name="data").xform).encode()
