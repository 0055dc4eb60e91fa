"""One small application in each framework, served for real. Each has

- `GET /users/{id}`: a span and a tag of its own; answers with what the current headers are
- `GET /fails`: raises · `GET /missing`: 404, raised · `GET /status/{code}` · `GET /stream`: three parts, each within a span
- `POST /test`: the W3C harness's protocol: posts each element's `arguments` to its `url` by a traced client

`PYTHONPATH=sdk/python/src python apps.py NAME` serves one, for the harness itself (`./dev w3c`).
"""

import asyncio
import contextlib
import json
import socketserver
import sys
import threading
import wsgiref.simple_server

from support import until

import tracekit


def user(number):
    with tracekit.start_span("load user"):
        tracekit.set_tag("user.id", number)
        return dict(tracekit.inject_headers())


def parts():
    for i in range(3):
        tracekit.start_span(f"part {i}").end()
        yield f"{i}\n".encode()


def call(body):
    for one in json.loads(body):
        tracekit.requests.post(one["url"], json=one["arguments"], timeout=30)


_clients = {}


async def call_async(body):
    # One in each server: making one loads certificates.
    loop = asyncio.get_running_loop()
    client = _clients.setdefault(loop, None) or tracekit.httpx.AsyncClient(timeout=30)
    _clients[loop] = client
    for one in json.loads(body):
        await client.post(one["url"], json=one["arguments"])


class Failure(Exception):
    pass


# ---- Flask -------------------------------------------------------------------------------------


def make_flask():
    import flask

    from tracekit.integrations import flask as tracekit_flask

    app = flask.Flask("tests")
    tracekit_flask.init_flask_app(app)
    tracekit_flask.init_flask_app(app)  # twice is once

    @app.get("/users/<int:number>")
    def users(number):
        return user(number)

    @app.get("/fails")
    def fails():
        raise Failure("no")

    @app.get("/missing")
    def missing():
        flask.abort(404)

    @app.get("/status/<int:code>")
    def status(code):
        return "", code

    @app.get("/stream")
    def stream():
        return flask.Response(flask.stream_with_context(parts()))

    @app.post("/test")
    def test():
        call(flask.request.data)
        return ""

    below = flask.Blueprint("below", "tests", url_prefix="/below")
    below.get("/<name>")(lambda name: name)
    app.register_blueprint(below)
    return app


# ---- Django ------------------------------------------------------------------------------------


def django_urls():
    from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
    from django.urls import include, path, re_path

    def fails(request):
        raise Failure("no")

    def missing(request):
        raise Http404

    def test(request):
        call(request.body)
        return HttpResponse()

    def name(request, name):
        return HttpResponse(name)

    return [
        path("users/<int:number>", lambda request, number: JsonResponse(user(number))),
        path("fails", fails),
        path("missing", missing),
        path("status/<int:code>", lambda request, code: HttpResponse(status=code)),
        path("stream", lambda request: StreamingHttpResponse(parts())),
        path("test", test),
        path("below/", include([path("<name>", name)])),
        re_path(r"^old/(?P<year>[0-9]{4})/$", lambda request, year: HttpResponse(year)),
    ]


def set_django_up():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY="x",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            LOGGING_CONFIG=None,
            MIDDLEWARE=[
                "tracekit.integrations.django.TracekitMiddleware",
                "django.middleware.common.CommonMiddleware",
            ],
        )
        django.setup()
        global urlpatterns
        urlpatterns = django_urls()


urlpatterns = []


def make_django():
    set_django_up()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def make_django_asgi():
    set_django_up()
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


# ---- FastAPI, Starlette, plain ASGI and WSGI ----------------------------------------------------


def make_fastapi(**options):
    from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
    from fastapi.responses import StreamingResponse

    from tracekit.integrations.fastapi import TracekitMiddleware

    app = FastAPI(**options)
    app.add_middleware(TracekitMiddleware)

    @app.get("/users/{number}")
    async def users(number: int):
        return user(number)

    @app.get("/sync/{number}")
    def sync(number: int):
        return user(number)

    @app.get("/fails")
    async def fails():
        raise Failure("no")

    @app.get("/missing")
    async def missing():
        raise HTTPException(404)

    @app.get("/status/{code}")
    async def status(code: int):
        return Response(status_code=code)

    @app.get("/stream")
    async def stream():
        return StreamingResponse(parts())

    @app.post("/test")
    async def test(request: Request):
        await call_async(await request.body())

    router = APIRouter(prefix="/below")
    router.get("/{name}")(lambda name: name)
    app.include_router(router)

    mounted = FastAPI()
    mounted.get("/{name}")(lambda name: name)
    app.mount("/mounted", mounted)
    return app


def make_starlette():
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Mount, Route

    from tracekit.integrations.starlette import TracekitMiddleware

    async def users(request):
        return JSONResponse(user(request.path_params["number"]))

    async def fails(request):
        raise Failure("no")

    async def missing(request):
        raise HTTPException(404)

    async def status(request):
        return Response(status_code=request.path_params["code"])

    async def stream(request):
        return StreamingResponse(parts())

    async def test(request):
        await call_async(await request.body())
        return Response()

    async def name(request):
        return Response(request.path_params["name"])

    app = Starlette(
        routes=[
            Route("/users/{number:int}", users),
            Route("/fails", fails),
            Route("/missing", missing),
            Route("/status/{code:int}", status),
            Route("/stream", stream),
            Route("/test", test, methods=["POST"]),
            Mount("/below", routes=[Route("/{name}", name)]),
        ]
    )
    app.add_middleware(TracekitMiddleware)
    return app


def make_wsgi():
    from tracekit.integrations.wsgi import TracekitMiddleware

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/fails":
            raise Failure("no")
        if path == "/test":
            call(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        status = path.rpartition("/")[2] if path.startswith("/status") else "404" if path == "/missing" else "200"
        start_response(f"{status} Whatever", [("content-type", "application/json")])
        if path == "/stream":
            return parts()
        return [json.dumps(user(int(path[7:]))).encode() if path.startswith("/users/") else b""]

    def route(environ):
        first = "/" + environ["PATH_INFO"].split("/")[1]
        return {"/users": "/users/{id}", "/status": "/status/{code}"}.get(first, first)

    return TracekitMiddleware(app, route)


def make_asgi():
    from tracekit.integrations.asgi import TracekitMiddleware

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        path = scope["path"]
        if path == "/fails":
            raise Failure("no")
        if path == "/test":
            body = b""
            while True:
                message = await receive()
                body += message["body"]
                if not message.get("more_body"):
                    break
            await call_async(body)
        status = int(path.rpartition("/")[2]) if path.startswith("/status") else 404 if path == "/missing" else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        if path == "/stream":
            for part in parts():
                await send({"type": "http.response.body", "body": part, "more_body": True})
        body = json.dumps(user(int(path[7:]))).encode() if path.startswith("/users/") else b""
        await send({"type": "http.response.body", "body": body})

    class Named(TracekitMiddleware):
        def route(self, scope):
            first = "/" + scope["path"].split("/")[1]
            return {"/users": "/users/{id}", "/status": "/status/{code}"}.get(first, first)

    return Named(app)


FRAMEWORKS = {
    "flask": make_flask,
    "django": make_django,
    "django-asgi": make_django_asgi,
    "fastapi": make_fastapi,
    "starlette": make_starlette,
    "wsgi": make_wsgi,
    "asgi": make_asgi,
}
ASGI = ("django-asgi", "fastapi", "starlette", "asgi")
# What `/users/7` is called there, as the framework writes routes.
USERS = {
    "flask": "/users/<int:number>",
    "django": "/users/<int:number>",
    "django-asgi": "/users/<int:number>",
    "fastapi": "/users/{number}",
    "starlette": "/users/{number}",
    "wsgi": "/users/{id}",
    "asgi": "/users/{id}",
}


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def get_stderr(self):
        import io

        return io.StringIO()


@contextlib.contextmanager
def serve(name, app=None):
    """Serves it in a thread; gives the URL."""
    app = app or FRAMEWORKS[name]()
    if name not in ASGI:
        server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Server, _Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        server.server_close()
    else:
        import uvicorn

        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
        thread.start()
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
    thread.join(30)


if __name__ == "__main__":
    tracekit.init()
    with serve(sys.argv[1]) as url:
        print(f"ready {url}", flush=True)
        threading.Event().wait()
