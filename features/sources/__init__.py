"""How do files from outside become canonical tables? The door is :func:`ingest`."""

from features.sources.load import ingest, onboarding_of
from features.sources.report import IngestReport, TableReport

__all__ = ["IngestReport", "TableReport", "ingest", "onboarding_of"]
