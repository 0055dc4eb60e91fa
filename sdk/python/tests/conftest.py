import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
for name in [name for name in os.environ if name.startswith(("TRACEKIT_", "OTEL_"))]:
    if name == "TRACEKIT_PURE_PYTHON":  # which of the two is tested
        continue
    del os.environ[name]

from support import read, receiver  # noqa: E402

import tracekit  # noqa: E402
from tracekit import _client, _log, _otlp  # noqa: E402
from tracekit._options import Options  # noqa: E402


class Recorded:
    """Spans that ended, in their order, of a set-up that sends nothing."""

    def __init__(self):
        self._bytes = b""
        self._queue = None

    def setup(self, **options):
        client = _client.Client(Options({}, **{"api_key": "test", "service_name": "test", **options}))
        if client.exporter is not None:
            self._queue = client.exporter.queue
            client.exporter._started = True  # so that its thread is not started
            client.exporter.shutdown = lambda timeout: True
        _client.use(client)
        return client

    @property
    def bytes(self):
        while self._queue is not None and self._queue.waiting:
            spans = self._queue.take()[0]
            self._queue.done(0)
            self._bytes += spans
        return self._bytes

    def forget(self):
        assert self.bytes
        self._bytes = b""

    @property
    def spans(self):
        return read(_otlp.request(b"", b"", self.bytes))

    def named(self, name):
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{name}: {[span.name for span in self.spans]}"
        return found[0]

    @property
    def only(self):
        assert len(self.spans) == 1, [span.name for span in self.spans]
        return self.spans[0]


@pytest.fixture(autouse=True)
def _nothing_left_over():
    yield
    _log._said.clear()
    _log.debugging = False
    client = _client._client
    _client.use(None)
    if client is not None and client.exporter is not None:
        client.exporter._hurry = True
        client.exporter.shutdown(0.5)
    assert tracekit.current_span() is None, "a span stayed the current one"


@pytest.fixture
def recorded():
    recorded = Recorded()
    recorded.setup()
    return recorded


@pytest.fixture
def sink():
    with receiver() as sink:
        yield sink
