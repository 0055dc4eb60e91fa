"""Under gunicorn and uvicorn with workers, and against the real server."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from support import ROOT, SDK, SERVER, Served, environment, run, until

APP = """
import os
import apps

flask = apps.make_flask() if os.environ["APP"] == "flask" else None
fastapi = apps.make_fastapi() if os.environ["APP"] == "fastapi" else None
"""


def ask(url, path="/users/7"):
    with urllib.request.urlopen(url + path, timeout=60) as response:
        return response.read()


def url_of(served, before):
    line = next(line for line in served.lines if before in line)
    return "http://127.0.0.1:" + line.split("127.0.0.1:")[1].split()[0].rstrip(")")


@pytest.mark.parametrize("preload", [False, True])
def test_gunicorns_workers_send_what_they_record_and_flush_when_they_end(sink, tmp_path, preload):
    (tmp_path / "app.py").write_text(APP + "import tracekit\ntracekit.init()\ntracekit.start_span('loaded').end()\n")
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", "--no-control-socket"]
    command += ["--preload"] * preload + ["app:flask"]
    env = {"TRACEKIT_API_KEY": "k", "TRACEKIT_ENDPOINT": sink.url, "TRACEKIT_SERVICE_NAME": "g", "APP": "flask"}
    with Served(command, "Listening at", cwd=tmp_path, **env) as gunicorn:
        url = url_of(gunicorn, "Listening at")
        until(lambda: sum("Booting worker" in line for line in gunicorn.lines) == 2, lambda: "".join(gunicorn.lines))
        for _ in range(20):
            ask(url)
        assert gunicorn.stop(signal.SIGTERM) == 0
    servers = [span for span in sink.spans if span.kind == SERVER]
    assert len(servers) == 20
    assert {span.name for span in servers} == {"GET /users/<int:number>"}
    assert len({span.trace_id for span in servers}) == 20
    pids = {span.resource["process.pid"] for span in servers}
    assert len({span.resource["service.instance.id"] for span in servers}) == len(pids)
    loaded = [span for span in sink.spans if span.name == "loaded"]
    assert len(loaded) == (1 if preload else 2)  # in the master once, and not again by its children
    assert gunicorn.process.pid not in pids


def test_uvicorns_workers_send_what_they_record_and_flush_when_they_end(sink, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "--workers", "2", "app:fastapi"]
    env = {"TRACEKIT_API_KEY": "k", "TRACEKIT_ENDPOINT": sink.url, "TRACEKIT_SERVICE_NAME": "u", "APP": "fastapi"}
    with Served(command, "Uvicorn running on", cwd=tmp_path, **env) as uvicorn:
        url = url_of(uvicorn, "Uvicorn running on")
        until(
            lambda: sum("Application startup complete" in line for line in uvicorn.lines) == 2,
            lambda: "".join(uvicorn.lines),
        )
        for _ in range(10):
            ask(url)
        assert uvicorn.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    servers = [span for span in sink.spans if span.kind == SERVER]
    assert [span.name for span in servers] == ["GET /users/{number}"] * 10


# ---- the real server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    binary = ROOT / "build" / "release" / "tracekit"
    if not binary.exists():
        pytest.fail(f"{binary} is not built: ./dev build")
    data = tmp_path_factory.mktemp("data")
    command = [str(binary), "serve", "--dev", "--data", str(data), "--listen", "127.0.0.1:0"]
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("TRACEKIT_")}, "TRACEKIT_API_KEY": "end-to-end-key"}
    log = open(data.parent / "server.log", "w")  # noqa: SIM115
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
    line = process.stdout.readline()
    assert "ready http" in line, line
    yield line.split()[-1]
    process.terminate()
    process.wait(60)
    log.close()


def test_spans_reach_the_real_server_and_are_found_by_their_tags(server):
    done = run(
        """
import tracekit
from tracekit._client import get_client
tracekit.init(service_name="orders", release="1.2.3")
try:
    with tracekit.start_span("checkout") as span:
        tracekit.set_tag("order.id", 42)
        tracekit.set_tag("mixed", [1, "a", {"b": None}])
        with tracekit.start_span("charge"):
            raise ValueError("declined")
except ValueError:
    pass
assert tracekit.flush(30)
print(span.trace_id_hex, tracekit.stats())
""",
        TRACEKIT_API_KEY="end-to-end-key",
        TRACEKIT_ENDPOINT=server,
    )
    trace_id, stats = done.stdout.split(" ", 1)
    assert (stats.strip(), done.stderr) == ("{'sent': 2, 'dropped': 0, 'queued': 0}", "")
    end = time.monotonic() + 60
    while True:  # acknowledged is on disk; found, a moment later
        found = json.loads(ask(server, "/api/v1/traces?q=order.id%3D42"))["traces"]
        if found:
            break
        assert time.monotonic() < end
        time.sleep(0.02)
    assert [(one["traceId"], one["rootServiceName"], one["errorCount"]) for one in found] == [(trace_id, "orders", 2)]
    trace = json.loads(ask(server, f"/api/v1/traces/{trace_id}"))
    assert [(span["name"], span["depth"]) for span in trace["spans"]] == [("checkout", 0), ("charge", 1)]
    assert trace["spans"][0]["attributes"]["mixed"] == [1, "a", {"b": None}]


def test_a_wrong_key_is_one_line(server):
    done = run("import tracekit; tracekit.start_span('x').end()", TRACEKIT_API_KEY="wrong", TRACEKIT_ENDPOINT=server)
    assert done.stderr.count("\n") == 1
    assert "it answered 401 Unauthorized; is TRACEKIT_API_KEY this server's?" in done.stderr


# ---- packages ----------------------------------------------------------------------------------


def test_wheel_and_sdist_build_and_install_without_an_index(tmp_path):
    import shutil
    import venv
    import zipfile

    source = tmp_path / "sdk" / "python"
    ignored = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__", ".*_cache", "*.so", "libtracekit")
    shutil.copytree(SDK, source, ignore=ignored)
    shutil.copytree(SDK.parent / "c", tmp_path / "sdk" / "c", ignore=ignored)
    build = "import sys; from setuptools import build_meta as b; print(b.build_sdist('dist'), b.build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=300)
    (wheel,) = (source / "dist").glob("*.whl")
    (sdist,) = (source / "dist").glob("*.tar.gz")
    again = tmp_path / "again"
    again.mkdir()
    subprocess.run(["tar", "-xzf", sdist, "--strip-components=1", "-C", again], check=True, capture_output=True, timeout=300)
    subprocess.run([sys.executable, "-c", build], cwd=again, check=True, capture_output=True, timeout=300)
    (second,) = (again / "dist").glob("*.whl")
    names = sorted(zipfile.ZipFile(wheel).namelist())
    assert names == sorted(zipfile.ZipFile(second).namelist())
    assert "tracekit/py.typed" in names
    assert "tracekit/integrations/django.py" in names
    assert any(name.startswith("tracekit/_core.") for name in names)
    assert not any(name.endswith((".c", ".h")) for name in names)

    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check", str(second)], check=True, timeout=300)
    check = "import tracekit, importlib.metadata as m; "
    check += "print(m.version('tracekit-apm'), tracekit.__version__, m.requires('tracekit-apm'), tracekit._record.is_native)"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), "-c", check], cwd=tmp_path, env=env, check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["0.1.0", "0.1.0", "None", "True"]


def test_without_a_compiler_it_installs_and_records_in_python(tmp_path):
    import shutil

    source = tmp_path / "python"
    ignored = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__", ".*_cache", "*.so", "tests")
    shutil.copytree(SDK, source, ignore=ignored)
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--quiet"]
    command += ["--disable-pip-version-check", "--target", str(tmp_path / "there"), str(source)]
    without = environment(CC="false", CXX="false")
    subprocess.run(command, env=without, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert not list((tmp_path / "there" / "tracekit").glob("_core*"))
    done = run(
        "import tracekit; tracekit.start_span('x').end(); print(tracekit._record.is_native)",
        PYTHONPATH=str(tmp_path / "there"),
    )
    assert done.stdout == "False\n"
