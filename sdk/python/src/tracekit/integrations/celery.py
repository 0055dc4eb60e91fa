"""Celery::

    from tracekit.integrations import celery as tracekit_celery

    app = Celery("jobs", broker=...)
    tracekit_celery.trace(app)

In every process that sends or runs tasks. A task's span, `process jobs.add`, is a child of the `send jobs.add` that sent it,
and that of whoever asked for it. Spans leave before a worker's process ends.
"""

from __future__ import annotations

from celery import signals

from tracekit import _client, _exit, _span
from tracekit._propagation import extract, inject
from tracekit._record import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from tracekit._span import Span

    App = TypeVar("App")

# Of tasks that are being sent: one that never was leaves its span here, so there is an end to it.
_PUBLISHING_MAX = 1024
_publishing: dict[str, Span] = {}
_running: dict[str, Span] = {}


def _publish(sender: str | None = None, headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is None:
        return
    span = _client.start(f"send {sender}", _span.PRODUCER)
    _describe(span, "send", headers.get("id"), sender)
    inject(span, headers)
    if len(_publishing) >= _PUBLISHING_MAX:
        _publishing.clear()
    _publishing[headers.get("id", "")] = span


def _published(headers: dict[str, Any] | None = None, **_: Any) -> None:
    span = _publishing.pop((headers or {}).get("id", ""), None)
    if span is not None:
        span.end()


def _describe(span: Span, operation: str, task_id: Any, destination: Any) -> None:
    span.set_tag("messaging.system", "celery")
    span.set_tag("messaging.operation.name", operation)
    span.set_tag("messaging.operation.type", operation)
    span.set_tag("messaging.message.id", task_id)
    span.set_tag("messaging.destination.name", destination)


def _run(task_id: str, task: Any, **_: Any) -> None:
    request = task.request
    values = [
        [value] if isinstance(value, str) else [] for value in map(request.get, ("traceparent", "tracestate", "baggage"))
    ]
    client = _client.get_client()
    parent = extract(*values) or current.get()  # a task that is run where it is asked for
    span = client.start(f"process {task.name}", _span.CONSUMER, parent)
    _describe(span, "process", task_id, task.name)
    span.__enter__()
    _running[task_id] = span


def _failed(task_id: str, exception: BaseException, **_: Any) -> None:
    span = _running.get(task_id)
    if span is not None:
        span.capture_exception(exception)


def _retried(request: Any, reason: Any, **_: Any) -> None:
    span = _running.get(request.id)
    if span is not None:
        span.add_event("retry", {"reason": reason})


def _ran(task_id: str, **_: Any) -> None:
    span = _running.pop(task_id, None)
    if span is not None:
        span.leave()
        span.end()


def _stopped(**_: Any) -> None:
    _exit.flush()


def trace(app: App) -> App:
    """Traces what is sent and run in this process. Celery's signals are those of all its applications; calling it again
    does nothing."""
    for signal, receiver in (
        (signals.before_task_publish, _publish),
        (signals.after_task_publish, _published),
        (signals.task_prerun, _run),
        (signals.task_failure, _failed),
        (signals.task_retry, _retried),
        (signals.task_postrun, _ran),
        (signals.worker_process_shutdown, _stopped),
        (signals.worker_shutdown, _stopped),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"tracekit.{receiver.__name__}")
    return app
