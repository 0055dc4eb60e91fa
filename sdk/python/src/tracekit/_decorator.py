"""`@tracekit.trace`."""

from __future__ import annotations

import functools
import inspect

from tracekit._client import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any

    from tracekit._span import Span


class _within:
    """Makes a span the current one, and does not end it: between two steps of a generator the caller's own is."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._span.__enter__()

    def __exit__(self, *failure: object) -> None:
        self._span.leave()


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
        async def asynchronous_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            span, inner = start(label), function(*args, **kwargs)
            step: Callable[[Any], Any] = inner.asend
            value: Any = None
            try:
                while True:
                    with _within(span):
                        item = await step(value)
                    try:
                        value = yield item
                        step = inner.asend
                    except GeneratorExit:
                        with _within(span):
                            await inner.aclose()
                        raise
                    except BaseException as error:
                        step, value = inner.athrow, error
            except StopAsyncIteration:
                return
            except Exception as error:
                span.capture_exception(error)
                raise
            finally:
                span.end()

        return asynchronous_generator
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            span, inner = start(label), function(*args, **kwargs)
            step: Callable[[Any], Any] = inner.send
            value: Any = None
            try:
                while True:
                    with _within(span):
                        item = step(value)
                    try:
                        value = yield item
                        step = inner.send
                    except GeneratorExit:
                        with _within(span):
                            inner.close()
                        raise
                    except BaseException as error:
                        step, value = inner.throw, error
            except StopIteration as stop:
                return stop.value
            except Exception as error:
                span.capture_exception(error)
                raise
            finally:
                span.end()

        return generator

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with start(label):
            return function(*args, **kwargs)

    return plain
