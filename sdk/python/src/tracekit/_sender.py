"""Posts batches to one server, with tries and waits as OTLP/HTTP's specification has them (sdk/spec/retry.json).

Whatever goes wrong is one line in the log until it is well again. A sender is used by one thread at a time.
"""

from __future__ import annotations

import zlib
from time import monotonic, time

from tracekit import _ids, _log, _otlp
from tracekit._fork import importing
from tracekit._url import parse_url
from tracekit._version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable

ATTEMPTS_MAX = 5
DELAY_INITIAL = 1.0
DELAY_MAX = 60.0
REQUEST_TIMEOUT = 10.0
ANSWER_BYTES_MAX = 4 << 20

# How a connection ends that was closed while nothing came over it.
_CLOSED = ("RemoteDisconnected", "BrokenPipeError", "ConnectionResetError")

DELIVERED, RETRY, DROP = "delivered", "retry", "drop"


def outcome_of(status: int | None) -> str:
    """Judges an answer by its status; None is no answer."""
    if status is None or status in (429, 502, 503, 504):
        return RETRY
    return DELIVERED if 200 <= status < 300 else DROP


def retry_delay(attempt: int, retry_after: str | None, now: float) -> float:
    """Seconds to wait after the attempt-th try failed.

    What Retry-After asks for, in seconds or as a date, or else a random moment in the upper half of an exponential step.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), DELAY_MAX)
    if text and text[0].isalpha():
        from email.utils import parsedate_to_datetime

        try:
            return min(max(parsedate_to_datetime(text).timestamp() - now, 0.0), DELAY_MAX)
        except (TypeError, ValueError, IndexError, OverflowError):
            pass
    step = min(DELAY_INITIAL * (1 << (attempt - 1)), DELAY_MAX)
    return step / 2 + step / 2 * _ids.random()


class Answer:
    __slots__ = ("body", "retry_after", "status", "why")

    def __init__(self, status: int | None, why: str, body: bytes = b"", retry_after: str | None = None) -> None:
        self.status = status
        self.why = why
        self.body = body
        self.retry_after = retry_after


class Sender:
    def __init__(self, url: str, headers: dict[str, str], resource: bytes, debug: bool) -> None:
        parsed = parse_url(url)
        assert parsed is not None  # the options were checked
        self._url = parsed
        self.name = parsed.location
        self._headers = {
            **headers,
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "User-Agent": f"tracekit-python/{VERSION}",
        }
        if parsed.userinfo:
            from base64 import b64encode

            self._headers.setdefault("Authorization", "Basic " + b64encode(parsed.userinfo.encode()).decode())
        self._resource = resource
        self._scope = _otlp.scope("tracekit", VERSION)
        self._debug = debug
        self._connection: http.client.HTTPConnection | None = None
        self._failing = False  # and the user was told
        self._answered = False
        self._partial = False

    def send(self, spans: bytes, count: int, wait: Callable[[float], bool]) -> int:
        """Delivers a batch of so many spans; gives how many of them did not arrive.

        `wait` waits before another try, and says no when there is to be none.
        """
        zipped = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = zipped.compress(_otlp.request(self._resource, self._scope, spans)) + zipped.flush()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answer = self._post(body)
            outcome = outcome_of(answer.status)
            self._report(answer, outcome)
            if outcome == DELIVERED:
                return self._rejected(answer, count)
            if outcome == DROP or attempt == ATTEMPTS_MAX or not wait(retry_delay(attempt, answer.retry_after, time())):
                break
        return count

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def forget(self) -> None:
        """In a forked child: the parent goes on using the connection."""
        self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        with importing:
            import http.client
            import os

            "localhost".encode("idna")  # imports what looking a host up needs

        url = self._url
        kinds: dict[str, type[http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        host = url.host.strip("[]")
        self._target = url.path
        if any(name.lower().endswith("_proxy") and value for name, value in os.environ.items()):
            from urllib.request import getproxies, proxy_bypass

            proxy = parse_url(getproxies().get(url.scheme, ""))
            if proxy is not None and not proxy_bypass(host):
                through = kinds[url.scheme](
                    proxy.host.strip("[]"), proxy.port or proxy.default_port, timeout=REQUEST_TIMEOUT
                )
                if url.scheme == "https":
                    through.set_tunnel(host, url.port or url.default_port)
                else:
                    self._target = url.location
                return through
        return kinds[url.scheme](host, url.port, timeout=REQUEST_TIMEOUT)

    def _post(self, body: bytes) -> Answer:
        # A server closes connections that nothing came over for long: that is no failure of this request.
        kept = self._connection is not None
        answer = self._post_once(body)
        if kept and answer.status is None and answer.why in _CLOSED:
            answer = self._post_once(body)
        return answer

    def _post_once(self, body: bytes) -> Answer:
        connection = self._connection
        try:
            if connection is None:
                self._connection = connection = self._connect()
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            deadline = monotonic() + REQUEST_TIMEOUT
            contents = b""
            while len(contents) < ANSWER_BYTES_MAX:
                part = response.read1(1 << 16)
                if not part:
                    response.read()  # read1 does not note the end of an empty body
                    break
                contents += part
                if monotonic() > deadline:
                    raise TimeoutError("its answer does not end")
            if response.length or response.will_close:  # not read to its end
                self.close()  # and do not follow a redirect: it would carry the key to another host
            why = f"it answered {response.status} {response.reason}".rstrip()
            return Answer(response.status, why, contents, response.headers.get("Retry-After"))
        except Exception as error:  # sockets, TLS, what is no HTTP
            self.close()
            name = type(error).__name__
            return Answer(None, name if name in _CLOSED else f"{name}: {_otlp.text_of(error)}")

    def _report(self, answer: Answer, outcome: str) -> None:
        if outcome == DELIVERED:
            if self._debug and (self._failing or not self._answered):
                _log.say(f"{self.name} takes our spans")
            self._failing, self._answered = False, True
        elif not self._failing:
            self._failing = True
            hint = "; is TRACEKIT_API_KEY this server's?" if answer.status in (401, 403) else ""
            _log.say(
                f"cannot send spans to {self.name}: {answer.why}{hint} "
                "(the app goes on; spans are dropped when the queue is full)"
            )

    def _rejected(self, answer: Answer, sent: int) -> int:
        rejected, why = _otlp.partial_success(answer.body)
        if (rejected or why) and not self._partial:
            self._partial = True
            _log.say(f"{self.name} refused {rejected} spans of a batch: {why[:200]}")
        return rejected if rejected <= sent else 0
