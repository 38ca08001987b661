"""Where does the time of a request go? OpenTelemetry traces, for whoever asks for them.

Off unless a standard variable names where traces go: ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console`` or ``none``), or
``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` (by HTTP). ``OTEL_SDK_DISABLED=true`` switches
them off. A trace names the route's pattern, the status and our request id: no path, no query, no account, no person. A
caller's ``traceparent`` is taken up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from opentelemetry.propagate import extract
from opentelemetry.trace import INVALID_SPAN, NoOpTracer, Span, SpanKind, StatusCode, Tracer
from starlette.datastructures import Headers

from features.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NAME = "campaign-pulse"
_FIRST_DEFECT = 500


class Tracing:
    """The traces of one process; makes none where nobody listens."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer: Tracer = provider.get_tracer(_NAME) if provider else NoOpTracer()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Tracing:
        """The traces that the environment asks for.

        Raises:
            ConfigError: it names an exporter that is not there.
        """
        source = os.environ if environment is None else environment
        asked = source.get(EXPORTER, "").strip().lower() or (
            "otlp" if any(source.get(one) for one in ENDPOINTS) else ""
        )
        if asked in {"", "none"} or source.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return cls()
        return cls.to(_exporter(asked))

    @classmethod
    def to(cls, exporter: SpanExporter) -> Tracing:
        """Traces that go to an exporter, in batches, beside the requests."""
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415  only where traces are made
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        # Names and attributes of the environment come last, so that they win.
        provider = TracerProvider(resource=Resource({SERVICE_NAME: _NAME}).merge(_of_environment()))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    def request(self, method: str, headers: Headers) -> AbstractContextManager[Span]:
        """The span of one request; to be finished with :func:`finish` when its route is known."""
        if self._provider is None:
            return nullcontext(INVALID_SPAN)
        return self._tracer.start_as_current_span(
            method,
            context=extract(dict(headers)),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        )

    def step(self, name: str) -> AbstractContextManager[Span]:
        """A part of a request."""
        if self._provider is None:
            return nullcontext(INVALID_SPAN)
        return self._tracer.start_as_current_span(name, record_exception=False)

    def close(self) -> None:
        """Send what waits."""
        if self._provider is not None:
            self._provider.shutdown()


def finish(span: Span, method: str, route: str, status: int, *, request_id: str) -> None:
    """Name a span by what was asked for, and say how it ended."""
    span.update_name(f"{method} {route}")
    told: dict[str, Any] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "pulse.request_id": request_id,
    }
    span.set_attributes(told)
    if status >= _FIRST_DEFECT:
        span.set_status(StatusCode.ERROR)


def _of_environment() -> Any:
    from opentelemetry.sdk.resources import OTELResourceDetector  # noqa: PLC0415

    return OTELResourceDetector().detect()


def _exporter(asked: str) -> SpanExporter:
    if asked == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter()
    if asked == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter()
    raise ConfigError(
        "traces cannot be sent that way",
        expected=f"otlp, console or none in {EXPORTER}",
        found=repr(asked),
        todo=f"correct {EXPORTER}, or unset it: without it nothing is traced",
    )
