"""Middleware and wrappers for the libraries that programs use. Each module here imports what it is for, and no other does.

=====================  =========================================================
``django``             ``"tracekit.integrations.django.TracekitMiddleware"``
``fastapi``            ``app.add_middleware(TracekitMiddleware)``
``starlette``          the same
``flask``              ``init_flask_app(app)``
``wsgi``, ``asgi``     ``application = TracekitMiddleware(application)``
``sqlite3``            ``connection = sqlite3.connect("users.db")``
``psycopg``            ``connection = psycopg.connect(...)``, pools: ``connection_class``
``sqlalchemy``         ``trace(engine)``
``celery``             ``trace(app)``
=====================  =========================================================
"""
