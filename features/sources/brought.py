"""Which mappings come with us, for which product, from which files, into which tables?

In: the YAML files of the package. Out: one :class:`Brought` per mapping, by name. Nothing is read but the mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from features.sources.mapping import Mapping, TableMapping, load_mapping


@dataclass(frozen=True, slots=True)
class Brought:
    """One mapping that comes with us. A file is optional when every table that needs it can do without."""

    name: str
    mapping: Mapping

    @property
    def files(self) -> tuple[str, ...]:
        """The files without which it cannot be used, in the order of the mapping."""
        return tuple(dict.fromkeys(name for entry in self._needed for name in entry.needed_files))

    @property
    def optional_files(self) -> tuple[str, ...]:
        """The files that a folder may lack."""
        named = (name for entry in self.mapping.tables for name in (*entry.files, *entry.other_files))
        return tuple(name for name in dict.fromkeys(named) if name not in self.files)

    @property
    def tables(self) -> tuple[str, ...]:
        """The canonical tables it fills, in the order of the mapping."""
        return tuple(dict.fromkeys(entry.table for entry in self.mapping.tables))

    @property
    def _needed(self) -> tuple[TableMapping, ...]:
        return tuple(entry for entry in self.mapping.tables if not entry.optional)

    def lines(self) -> list[str]:
        """For people: what it is, what it takes and what it fills."""
        told = [f"{self.name}: {self.mapping.title or self.mapping.about}"]
        told += [f"  product  {self.mapping.product}"] if self.mapping.product else []
        told += [f"  files    {', '.join(self.files)}"] if self.files else []
        told += [f"  optional {', '.join(self.optional_files)}"] if self.optional_files else []
        return [*told, f"  tables   {', '.join(self.tables)}"]

    def document(self) -> dict[str, object]:
        """The same for programs, with everything that the mapping says of itself."""
        said = self.mapping
        return {
            "name": self.name,
            "title": said.title,
            "product": said.product,
            "steward": said.steward,
            "about": said.about,
            "notes": list(said.notes),
            "files": list(self.files),
            "optional_files": list(self.optional_files),
            "tables": list(self.tables),
        }


def brought() -> tuple[Brought, ...]:
    """Every mapping that comes with us, by name."""
    folder = resources.files("features.sources").joinpath("mappings")
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(Brought(name, load_mapping(name)) for name in names)
