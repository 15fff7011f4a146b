"""PDF: whole, open to be read, and without anything that acts by itself or hides another file."""

import io
import re
from collections.abc import Iterator
from typing import Any

from app.evidence.examiner.refusal import Refused, insist

ACTING = {
    "/JS": "a script",
    "/JavaScript": "a script",
    "/Launch": "a program to start",
    "/EmbeddedFile": "another file",
    "/EmbeddedFiles": "another file",
    "/Filespec": "another file",
    "/EF": "another file",
    "/RichMedia": "embedded media",
    "/XFA": "a form with scripts",
    "/AA": "actions that start by themselves",
    "/SubmitForm": "a form that sends itself",
    "/ImportData": "a form that reads files",
    "/GoToR": "a link into another file",
    "/GoToE": "a link into an embedded file",
    "/Rendition": "embedded media",
    "/Movie": "embedded media",
    "/Sound": "embedded media",
    "/3D": "embedded media",
    "/Encrypt": "a lock",
}
"""Keys, and types of objects and actions, that a page for reading does not need (ISO 32000-1)."""
MOST_OBJECTS = 200_000
MOST_PAGES = 5_000
DEEPEST = 60
END = re.compile(rb"%%EOF[\s\0]*\Z")
WEB = re.compile(rb"(?:https?|mailto):", re.IGNORECASE)


def examine(data: bytes) -> None:
    """Open the file strictly, and look at every object in it."""
    import pikepdf

    insist(END.search(data[-1100:]), "It is cut short, or something follows it.")
    try:
        with pikepdf.open(io.BytesIO(data), attempt_recovery=False, suppress_warnings=True) as pdf:
            insist(not pdf.is_encrypted, "It is locked, so it cannot be examined.")
            insist(1 <= len(pdf.pages) <= MOST_PAGES, "It has no pages, or too many.")
            insist(len(pdf.objects) <= MOST_OBJECTS, "It holds too many objects.")
            for one in pdf.objects:
                _look(one, pikepdf)
            _look(pdf.trailer, pikepdf)
            _opens(pdf.Root, pikepdf)
    except pikepdf.PasswordError as error:
        raise Refused("It is locked, so it cannot be examined.") from error
    except RuntimeError as error:  # opening a lock takes randomness, which is out of reach here
        raise Refused("It is locked or damaged, so it cannot be examined.") from error
    except (pikepdf.PdfError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused("It is no whole PDF.") from error


def _look(one: Any, pikepdf: Any) -> None:
    """Look at an object and what it holds itself; what it refers to is looked at on its own."""
    for part in _parts(one, pikepdf, 0):
        for key, value in part.items():
            insist(key not in ACTING, f"It holds {ACTING.get(key)}.")
            if key in {"/S", "/Type", "/Subtype", "/FT"} and isinstance(value, pikepdf.Name):
                insist(str(value) not in ACTING, f"It holds {ACTING.get(str(value))}.")
        if part.get("/S") == "/URI" and "/URI" in part:
            insist(WEB.match(bytes(part["/URI"])), "It holds a link that opens no web page.")
        if "/F" in part and not isinstance(part["/F"], int) and isinstance(one, pikepdf.Stream):
            raise Refused("It holds content that stands in another file.")


def _parts(one: Any, pikepdf: Any, depth: int) -> Iterator[Any]:
    """Walk the dictionaries that stand in an object itself."""
    insist(depth <= DEEPEST, "It is nested too deeply.")
    if isinstance(one, pikepdf.Stream):
        one = one.stream_dict
    if isinstance(one, pikepdf.Dictionary):
        yield one
        inner: list[Any] = [value for _, value in one.items()]
    elif isinstance(one, pikepdf.Array):
        inner = list(one)
    else:
        return
    for value in inner:
        if isinstance(value, pikepdf.Object) and not value.is_indirect:
            yield from _parts(value, pikepdf, depth + 1)


def _opens(root: Any, pikepdf: Any) -> None:
    """Let a file open at a page, and do nothing else when it is opened."""
    action = root.get("/OpenAction")
    if isinstance(action, pikepdf.Dictionary):
        insist(action.get("/S") == "/GoTo", "It does something when it is opened.")
