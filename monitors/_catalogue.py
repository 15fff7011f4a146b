"""Finds the kinds by looking at the files, and builds from them what the whole product speaks.

A kind is a module of this package whose name does not begin with an underscore. Its name is the
kind, its docstring the documentation, its `MONITOR` the declaration.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Annotated, Any, cast

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from monitors._contract import Monitor, TermsModel


class CatalogueBroken(Exception):
    """A monitor's file does not keep the contract; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One word of the fact vocabulary: what it asks, its unit, its subjects, the kinds that read it."""

    name: str
    question: str
    unit: str
    scopes: tuple[str, ...]
    json_schema: Mapping[str, Any]
    read_by: tuple[str, ...]


class Catalogue:
    """All kinds, and the vocabulary that is the union of their facts.

    `shadows` are the next versions of some kinds, which judge beside the present ones.
    """

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        named = {module.__name__.rpartition(".")[2]: module for module in modules}
        self.monitors: dict[str, Monitor] = {
            monitor.kind: monitor for monitor in sorted(map(_declared, named.values()), key=_kind)
        }
        self.shadows: dict[str, Monitor] = {
            kind: shadow for kind, module in named.items() if (shadow := _shadow(kind, module))
        }
        self._fields = _union(self.monitors.values())
        self.facts: dict[str, Fact] = {
            name: _fact(name, field, self.monitors.values()) for name, field in self._fields.items()
        }
        self._stated = type("Stated", (_Stated,), dict.fromkeys(self._fields))
        self.typed_facts = self._typed_facts()
        self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(self.typed_facts)
        self._richer: dict[str, TypeAdapter[Any]] = {
            name: TypeAdapter(self._fields[name].rebuild_annotation())
            for name, fact in self.facts.items()
            if not _plain(fact.json_schema)
        }

    @property
    def written(self) -> list[str]:
        """List the kinds that are written on licenses: all but the standing ones."""
        return [kind for kind, monitor in self.monitors.items() if not monitor.standing]

    @property
    def confidential(self) -> list[str]:
        """List the kinds whose findings are for the authority alone."""
        return [kind for kind, monitor in self.monitors.items() if monitor.confidential]

    def __getitem__(self, kind: str) -> Monitor:
        return self.monitors[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self.monitors

    def _typed_facts(self) -> type[dict[str, Any]]:
        """Build the vocabulary as a TypedDict: validated facts hold only what was stated."""
        fields = {name: _worded(field) for name, field in self._fields.items()}
        make: Any = TypedDict
        typed = make("StatedFacts", fields, total=False)
        typed.__pydantic_config__ = ConfigDict(extra="forbid")
        return cast("type[dict[str, Any]]", typed)

    def validate_facts(self, facts: Any) -> dict[str, Any]:
        """Check stated facts against the vocabulary; raises pydantic's ValidationError."""
        return self._adapter.validate_python(facts)

    def facts_of(self, text: str | bytes) -> dict[str, Any]:
        """Read facts from JSON text and check them; raises pydantic's ValidationError."""
        return self._adapter.validate_json(text)

    def stated(self, facts: dict[str, Any]) -> Any:
        """Dress checked facts as an object that answers None to what was not stated."""
        dressed = self._stated()
        dressed.__dict__ = facts
        return dressed

    def recall(self, facts: dict[str, Any]) -> Any:
        """Dress facts as they were stored once they had been checked: they are not checked again.

        What JSON holds as it is (numbers, texts, lists of them) is taken as it stands; only what
        has a type of its own (a position, a day) is made anew.
        """
        for name in self._richer.keys() & facts.keys():
            facts[name] = self._richer[name].validate_python(facts[name])
        return self.stated(facts)

    def terms(self, kind: str, terms: Any) -> TermsModel:
        """Read the terms of a kind; raises pydantic's ValidationError, or KeyError for no such kind."""
        return self.monitors[kind].terms.model_validate(terms)


def _plain(schema: Mapping[str, Any]) -> bool:
    """Whether JSON gives back a value of this kind just as it was checked."""
    if "anyOf" in schema:
        return all(_plain(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return _plain(schema.get("items", {}))
    return kind in {"integer", "number", "boolean", "null"} or (
        kind == "string" and "format" not in schema
    )


class _Stated:
    """The facts of one statement. Its subclass has one class attribute, None, for every fact."""


def _kind(monitor: Monitor) -> str:
    return monitor.kind


def _declared(module: ModuleType) -> Monitor:
    """Take the declaration out of a monitor's file, with its name and documentation."""
    kind = module.__name__.rpartition(".")[2]
    monitor = getattr(module, "MONITOR", None)
    if not isinstance(monitor, Monitor):
        message = f"monitors/{kind}.py declares no MONITOR"
        raise CatalogueBroken(message)
    documentation = inspect.getdoc(module)
    if not documentation:
        message = f"monitors/{kind}.py has no docstring; it is the kind's documentation"
        raise CatalogueBroken(message)
    return replace(monitor, kind=kind, documentation=documentation)


def _shadow(kind: str, module: ModuleType) -> Monitor | None:
    """Take the next version of a kind, if its file declares one as `SHADOW`.

    It reads the same terms and facts and hears as far back, so that both judge the same inputs.
    """
    shadow, present = getattr(module, "SHADOW", None), module.MONITOR
    if shadow is None:
        return None
    same = all(getattr(shadow, name) == getattr(present, name) for name in SHARED)
    if not same or shadow.version <= present.version:
        message = (
            f"monitors/{kind}.py: SHADOW must be made with replace(MONITOR, version=..., "
            f"evaluate=...), with a higher version and the same {', '.join(SHARED)}"
        )
        raise CatalogueBroken(message)
    return replace(_declared(module), evaluate=shadow.evaluate, version=shadow.version)


SHARED = (
    "terms",
    "facts",
    "needs",
    "hears",
    "owes",
    "awaits",
    "reads",
    "standing",
    "any_fact",
)


def _union(monitors: Iterable[Monitor]) -> dict[str, FieldInfo]:
    """Unite the facts of all kinds; the same name must have the same type and meaning."""
    union: dict[str, tuple[str, FieldInfo]] = {}
    for monitor in monitors:
        for name, field in monitor.facts.model_fields.items():
            kind, known = union.setdefault(name, (monitor.kind, field))
            if _meaning(known) != _meaning(field):
                message = f"fact {name!r} means one thing in {kind} and another in {monitor.kind}"
                raise CatalogueBroken(message)
            if not field.description or not isinstance(field.json_schema_extra, dict):
                message = f"fact {name!r} in {monitor.kind} is not declared with fact(...)"
                raise CatalogueBroken(message)
    return {name: field for name, (_, field) in sorted(union.items())}


def _meaning(field: FieldInfo) -> tuple[str, ...]:
    return tuple(
        repr(part)
        for part in (field.annotation, field.metadata, field.description, field.json_schema_extra)
    )


def _worded(field: FieldInfo) -> Any:
    """Give the type of a fact with its question, unit and subjects, for whoever reads the schema."""
    extra = cast("dict[str, Any]", field.json_schema_extra)
    words = Field(description=field.description, json_schema_extra=extra)
    return Annotated[field.rebuild_annotation(), words]


def _fact(name: str, field: FieldInfo, monitors: Iterable[Monitor]) -> Fact:
    """Describe one fact for people and for forms."""
    extra = cast("dict[str, Any]", field.json_schema_extra)
    return Fact(
        name=name,
        question=field.description or "",
        unit=extra["unit"],
        scopes=tuple(extra["scopes"]),
        json_schema=TypeAdapter(field.rebuild_annotation()).json_schema(),
        read_by=tuple(monitor.kind for monitor in monitors if name in monitor.fact_names),
    )


def discover(package: str) -> list[ModuleType]:
    """Import every kind's file in a package."""
    paths = importlib.import_module(package).__path__
    return [
        importlib.import_module(f"{package}.{found.name}")
        for found in pkgutil.iter_modules(paths)
        if not found.name.startswith("_")
    ]


@cache
def catalogue() -> Catalogue:
    """Give the catalogue of this product: every kind in `monitors/`."""
    return Catalogue(discover("monitors"))
