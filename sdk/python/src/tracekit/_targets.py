"""`trace_propagation_targets`: which requests of the traced clients carry the trace.

What is matched is scheme, host, port and path of the resolved URL. User-info, query and fragment are cut off first, so that
a third party that names our host there gets nothing.
"""

from __future__ import annotations

from tracekit import _log
from tracekit._url import parse_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence
    from typing import Union

    Target = Union[str, re.Pattern[str]]


def checked_targets(targets: Iterable[Target] | Target | None) -> Sequence[Target] | None:
    """None: every request. What is neither a text nor a pattern is said loudly and left out."""
    if targets is None:
        return None
    if isinstance(targets, str) or hasattr(targets, "search"):
        targets = (targets,)  # type: ignore[assignment]
    given = tuple(targets)  # type: ignore[arg-type]
    # A pattern of bytes cannot be searched for in a text.
    valid = tuple(one for one in given if isinstance(one, str) or isinstance(getattr(one, "pattern", None), str))
    if len(valid) < len(given):
        _log.once("targets", "trace_propagation_targets takes strings and compiled regular expressions only")
    return valid


def is_target(url: str, targets: Sequence[Target] | None) -> bool:
    if targets is None:
        return True
    parsed = parse_url(url)
    if parsed is None:
        return False
    location = parsed.location
    return any(
        (target != "" and target in location) if isinstance(target, str) else target.search(location) is not None
        for target in targets
    )
