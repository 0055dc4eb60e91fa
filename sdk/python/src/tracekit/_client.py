"""The SDK's state in this process: one set-up, and how spans are started with it."""

from __future__ import annotations

import os
import sys
from time import monotonic

from tracekit import _ids, _log, _record, _sampling
from tracekit._options import Options
from tracekit._record import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tracekit._exporter import Exporter
    from tracekit._targets import Target

__all__ = ["Client", "get_client", "set_up", "shut_down", "start", "use"]

EXIT_TIMEOUT = 3.0


class Client:
    """One set-up. Spans belong to it: those of a set-up before this one still leave through that."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.targets: Sequence[Target] | None = options.targets
        self.exporter: Exporter | None = None
        #: When not, nothing is recorded and this service is not seen in the traces that it serves.
        self.recording = options.enabled and bool(options.headers)
        if self.recording:
            from tracekit._exporter import Exporter
            from tracekit._sender import Sender

            self.exporter = Exporter(Sender(options.endpoint, options.headers, resource_of(options), options.debug))
        threshold = _sampling.threshold_of(options.sample_rate)
        queue = self.exporter.queue if self.exporter else None
        self.tracer = _record.Tracer(queue, threshold, _sampling.tracestate_of(threshold))
        #: Starts a span below a parent, or at the top of a new trace: name, kind, parent.
        self.start = self.tracer.start


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
_retired: list[Exporter] = []  # of earlier set-ups, with spans that have not left yet


def get_client() -> Client:
    """The set-up; from the environment alone when nobody called `init`."""
    return _client or set_up({})


def use(client: Client | None) -> None:
    global _client
    _client = client
    _record.use(None if client is None else client.tracer)


def set_up(code: Mapping[str, Any]) -> Client:
    before = _client
    options = Options(os.environ, **code)
    _log.debugging = options.debug
    client = Client(options)
    use(client)
    if before is not None and before.exporter is not None:
        _retired[:] = [exporter for exporter in (*_retired, before.exporter) if exporter.retire()]
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


_record.bind(set_up=set_up)


def shut_down(timeout: float) -> bool:
    """Of whatever set-up there is; none is made for it."""
    deadline = monotonic() + timeout
    done = _client is None or _client.exporter is None or _client.exporter.shutdown(timeout)
    for exporter in _retired:
        done = exporter.flush(deadline - monotonic()) and done
    return done


def after_fork() -> None:
    """In the child: ids of its own, a queue and a thread of its own, an instance of its own."""
    _record.reseed()
    if _client is not None:
        if _client.exporter is not None:
            _client.exporter.abandon()
        use(Client(_client.options))
    _retired.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
