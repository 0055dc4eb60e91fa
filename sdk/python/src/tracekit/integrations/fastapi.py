"""FastAPI::

from tracekit.integrations.fastapi import TracekitMiddleware

app = FastAPI()
app.add_middleware(TracekitMiddleware)
"""

from __future__ import annotations

from tracekit.integrations.starlette import TracekitMiddleware

__all__ = ["TracekitMiddleware"]
