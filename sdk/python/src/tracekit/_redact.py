"""What a span may not tell: user-info, fragments (they carry tokens), and the parameters that grant access."""

from __future__ import annotations

_CREDENTIALS = frozenset(
    (
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
    )
)


def redact_query(query: str) -> str:
    """Hides the values of signed URLs' parameters, whatever the case of their names."""
    if "=" not in query:
        return query
    pairs = query.split("&")
    for i, pair in enumerate(pairs):
        name, equals, _ = pair.partition("=")
        if equals and name.lower() in _CREDENTIALS:
            pairs[i] = name + "=REDACTED"
    return "&".join(pairs)


def redact_url(url: str) -> str:
    url = url.partition("#")[0]
    base, mark, query = url.partition("?")
    scheme, colon, rest = base.partition("://")
    if colon:
        authority, slash, path = rest.partition("/")
        base = scheme + colon + authority.rpartition("@")[2] + slash + path
    return base + mark + redact_query(query)
