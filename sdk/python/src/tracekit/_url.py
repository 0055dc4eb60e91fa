"""As much of URLs as the SDK needs. urllib.parse costs four milliseconds to import."""

from __future__ import annotations

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Url:
    """A web address, resolved: scheme and host in lower case, user-info and fragment cut off."""

    __slots__ = ("host", "path", "port", "query", "scheme", "userinfo")

    def __init__(self, scheme: str, userinfo: str, host: str, port: int | None, path: str, query: str) -> None:
        self.scheme = scheme
        self.userinfo = userinfo
        self.host = host
        self.port = port
        self.path = path
        self.query = query

    @property
    def default_port(self) -> int:
        return _DEFAULT_PORTS[self.scheme]

    @property
    def location(self) -> str:
        """Scheme, host, port and path: what propagation targets are matched against."""
        host = self.host if self.port in (None, self.default_port) else f"{self.host}:{self.port}"
        return f"{self.scheme}://{host}{self.path}"


def parse_url(text: str) -> Url | None:
    """None when it is not the address of something on the web."""
    scheme, colon, rest = text.partition("://")
    scheme = scheme.lower()
    if not colon or scheme not in _DEFAULT_PORTS:
        return None
    rest = rest.partition("#")[0]
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    userinfo, _, authority = authority.rpartition("@")
    host, port = split_host(authority)
    if not host or port == -1 or not host.isprintable() or " " in host:
        return None
    return Url(scheme, userinfo, host.lower(), port, slash + path or "/", query)


def split_host(authority: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[::1]:port`. The port is None when it is not said, -1 when it is none."""
    if authority.startswith("["):
        host, bracket, tail = authority.partition("]")
        host += bracket
        if not bracket or (tail and not tail.startswith(":")):
            return "", -1
        port = tail[1:]
    else:
        host, _, port = authority.partition(":")
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        return host, -1
    return host, int(port)
