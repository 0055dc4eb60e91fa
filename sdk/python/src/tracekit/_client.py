"""The SDK's state in this process: one set-up, and how spans are started with it."""

from __future__ import annotations

import os
import sys

from tracekit import _ids, _log
from tracekit._ids import new_trace_id
from tracekit._options import Options
from tracekit._propagation import RANDOM, SAMPLED
from tracekit._sampling import Sampler
from tracekit._span import INTERNAL, Span, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from tracekit._exporter import Exporter
    from tracekit._propagation import SpanContext
    from tracekit._targets import Target

EXIT_TIMEOUT = 3.0

_NOBODY = (b"", 0, "")


class Client:
    """One set-up. Spans belong to it: those of a set-up before this one still leave through that."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.targets: Sequence[Target] | None = options.targets
        self.sampler = Sampler(options.sample_rate)
        self.exporter: Exporter | None = None
        #: When not, nothing is recorded and this service is not seen in the traces that it serves: who it calls are
        #: its caller's children.
        self.recording = options.enabled and bool(options.headers)
        if self.recording:
            from tracekit._exporter import Exporter
            from tracekit._sender import Sender

            self.exporter = Exporter(Sender(options.endpoint, options.headers, resource_of(options), options.debug))
        self._sink: Callable[[bytes], None] | None = self.exporter.add if self.exporter else None
        self._all = self.sampler.threshold == 0

    def start(self, name: str, kind: int, parent: Span | SpanContext | None) -> Span:
        """Starts a span below `parent`, or at the top of a new trace."""
        if parent is not None and parent.trace_id:
            identity = (parent.trace_id, parent.flags, parent.tracestate)
        elif not self.recording:
            identity = _NOBODY
        else:
            trace_id = new_trace_id()
            if self._all or self.sampler.samples(trace_id):
                identity = (trace_id, SAMPLED | RANDOM, self.sampler.tracestate)
            else:
                identity = (trace_id, RANDOM, "")
        span = Span(name, kind, parent, identity, self._sink if identity[1] & SAMPLED else None)
        if not self.recording:
            span.span_id = parent.span_id if parent is not None else b""
        return span


def resource_of(options: Options) -> bytes:
    """Who sends, with the names of the semantic conventions."""
    from tracekit import _otlp
    from tracekit._version import VERSION

    ours: dict[str, Any] = {
        "service.name": options.service_name,
        "service.version": options.release,
        "service.instance.id": _ids.new_uuid(),
        "deployment.environment.name": options.environment,
        "telemetry.sdk.name": "tracekit",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": VERSION,
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": sys.version.partition(" ")[0],
        "host.name": os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
    }
    ours.update((key, value) for key, value in options.resource.items() if not ours.get(key))
    ours["process.pid"] = os.getpid()
    return _otlp.resource(ours.items())


_client: Client | None = None


def get_client() -> Client:
    """The set-up; from the environment alone when nobody called `init`."""
    return _client or set_up({})


def set_up(code: Mapping[str, Any]) -> Client:
    global _client
    before = _client
    options = Options(os.environ, **code)
    _log.debugging = options.debug
    _client = client = Client(options)
    if before is not None and before.exporter is not None:
        before.exporter.flush(0)
    if options.enabled and not client.recording:
        _log.say("TRACEKIT_API_KEY is not set: spans are not sent")
    _log.debug(
        f"service {options.service_name!r}, endpoint {_location(options.endpoint)}, "
        f"sample rate {options.sample_rate:g}, sending: {client.recording}"
    )
    if client.recording:
        from tracekit._exit import install

        install()
    return client


def _location(endpoint: str) -> str:
    from tracekit._url import parse_url

    url = parse_url(endpoint)
    return url.location if url else endpoint


def start(name: str, kind: int = INTERNAL) -> Span:
    """Starts a child of the current span, or a new trace."""
    return (_client or set_up({})).start(name, kind, current.get())


def shut_down(timeout: float) -> bool:
    """Of whatever set-up there is; none is made for it."""
    return _client is None or _client.exporter is None or _client.exporter.shutdown(timeout)


def after_fork() -> None:
    """In the child: ids of its own, a queue and a thread of its own, an instance of its own."""
    global _client
    _ids.reseed()
    if _client is not None:
        if _client.exporter is not None:
            _client.exporter.abandon()
        _client = Client(_client.options)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
