"""`@tracekit.trace`."""

from __future__ import annotations

import functools
import inspect

from tracekit._client import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator
    from typing import Any


def traced(function: Callable[..., Any], name: str | None) -> Callable[..., Any]:
    label = name or getattr(function, "__qualname__", None) or repr(function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            with start(label):
                return await function(*args, **kwargs)

        return asynchronous
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def asynchronous_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            with start(label):
                async for item in function(*args, **kwargs):
                    yield item

        return asynchronous_generator
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with start(label):
                return (yield from function(*args, **kwargs))

        return generator

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with start(label):
            return function(*args, **kwargs)

    return plain
