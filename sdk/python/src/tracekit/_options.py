"""What `init` takes, completed from the environment: code beats TRACEKIT_*, which beats OpenTelemetry's own variables.

Nothing here raises. What the environment says is another person's, at another time than the code's: what is wrong there is
said loudly and the default is used.
"""

from __future__ import annotations

import os
import sys

from tracekit import _log
from tracekit._targets import checked_targets
from tracekit._url import parse_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracekit._targets import Target

DEFAULT_ENDPOINT = "http://localhost:4318/v1/traces"


class Options:
    __slots__ = (
        "debug",
        "enabled",
        "endpoint",
        "environment",
        "headers",
        "release",
        "resource",
        "sample_rate",
        "service_name",
        "targets",
    )

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        api_key: str | None = None,
        service_name: str | None = None,
        endpoint: str | None = None,
        environment: str | None = None,
        release: str | None = None,
        sample_rate: float | None = None,
        trace_propagation_targets: Iterable[Target] | Target | None = None,
        debug: bool | None = None,
        enabled: bool | None = None,
    ) -> None:
        def first(*names: str) -> str:
            return next((env[name] for name in names if env.get(name)), "")

        self.resource = pairs(first("OTEL_RESOURCE_ATTRIBUTES"))
        self.headers = pairs(first("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"))
        api_key = (api_key or first("TRACEKIT_API_KEY")).strip()
        if api_key:
            self.headers = {name: value for name, value in self.headers.items() if name.lower() != "x-api-key"}
            self.headers["X-API-Key"] = api_key
        self.service_name = (
            service_name
            or first("TRACEKIT_SERVICE_NAME", "OTEL_SERVICE_NAME")
            or self.resource.get("service.name")
            or f"unknown_service:{_program()}"
        )
        self.environment = (
            environment or first("TRACEKIT_ENVIRONMENT") or self.resource.get("deployment.environment.name", "")
        )
        self.release = release or first("TRACEKIT_RELEASE") or self.resource.get("service.version", "")
        self.endpoint = checked_endpoint(
            endpoint or first("TRACEKIT_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        )
        self.sample_rate = (
            checked_rate(first("TRACEKIT_SAMPLE_RATE") or _otel_rate(env))
            if sample_rate is None
            else checked_rate(sample_rate)
        )
        self.targets: Sequence[Target] | None = checked_targets(trace_propagation_targets)
        self.debug = is_yes(first("TRACEKIT_DEBUG")) if debug is None else bool(debug)
        self.enabled = not is_yes(first("OTEL_SDK_DISABLED")) if enabled is None else bool(enabled)


def _program() -> str:
    return os.path.basename(sys.argv[0] if getattr(sys, "argv", None) else "") or "python"


def is_yes(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on", "t")


def _otel_rate(env: Mapping[str, str]) -> str:
    sampler = env.get("OTEL_TRACES_SAMPLER", "")
    if sampler.endswith("always_off"):
        return "0"
    return env.get("OTEL_TRACES_SAMPLER_ARG", "") if not sampler or sampler.endswith("traceidratio") else ""


def checked_rate(said: object) -> float:
    """Anything but a number from 0 to 1 is said loudly; every trace is recorded then."""
    if said == "":
        return 1.0
    try:
        rate = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        rate = -1.0
    if 0 <= rate <= 1:  # NaN is not
        return rate
    _log.say(f"the sample rate {said!r} is not a number from 0 to 1: recording every trace")
    return 1.0


def checked_endpoint(endpoint: str) -> str:
    url = traces_url(endpoint)
    if url is None:
        _log.say(f"the endpoint {endpoint!r} is not the address of a web server: using {DEFAULT_ENDPOINT}")
        return DEFAULT_ENDPOINT
    return url


def traces_url(endpoint: str | None) -> str | None:
    """The URL that spans are posted to, from a base URL, that URL itself, or a host and port: https but for this machine."""
    text = (endpoint or "").strip()
    if not text:
        return DEFAULT_ENDPOINT
    if "://" not in text:
        host = text.partition("/")[0]
        name = host if host.count(":") > 1 else host.partition(":")[0]
        local = name == "localhost" or name.startswith(("127.", "[::1]"))
        text = f"{'http' if local else 'https'}://{text}"
    if parse_url(text) is None:
        return None
    text = text.partition("#")[0].partition("?")[0].rstrip("/")
    return text if text.endswith("/v1/traces") else text + "/v1/traces"


def pairs(text: str) -> dict[str, str]:
    """OpenTelemetry's `key=value,key=value`, values percent-encoded."""
    from tracekit._propagation import unquote

    found = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if equals and key.strip():
            found[key.strip()] = unquote(value.strip())
    return found
