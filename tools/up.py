"""The server and the live three-service example (React page -> Node API -> Go service -> SQLite), until Ctrl-C.

The server runs with --dev on a data directory under build/up, so that a second run finds the first one's traces. Ports
are the document's: page 3000, API 3001, Go 8080, TraceKit 4318. What a service prints goes to build/up/<service>.log.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "up"
SERVER = "http://127.0.0.1:4318"
EXAMPLE = ROOT / "examples" / "three-services"
READY_SECONDS = 60


class Service:
    """A child process that says `ready` on stdout, kept in a log."""

    def __init__(self, name, command, env=None, cwd=ROOT):
        self.name = name
        self.log_path = HOME / f"{name}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(command, cwd=cwd, stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                                        start_new_session=True)

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            text = self.log_path.read_text(errors="replace")
            if any(" ready " in f" {line}" for line in text.splitlines()):
                return
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} stopped:\n{text}")
            time.sleep(0.05)
        raise SystemExit(f"{self.name} is not ready after {READY_SECONDS} s; see {self.log_path}")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def api_key():
    """The example's key: the environment's, else one made for this tree and kept beside its data."""
    if os.environ.get("TRACEKIT_API_KEY"):
        return os.environ["TRACEKIT_API_KEY"]
    path = HOME / "api-key"
    if not path.exists():
        path.write_text("dev-" + secrets.token_hex(16))
        path.chmod(0o600)
    return path.read_text().strip()


def start_server(key):
    server = Service("tracekit", [str(ROOT / "build/release/tracekit"), "serve", "--dev", "--data", str(HOME / "data")],
                     {"TRACEKIT_API_KEY": key})
    server.wait_ready()
    return server


def start_example(key):
    env = {"TRACEKIT_API_KEY": key, "TRACEKIT_ENDPOINT": SERVER}
    binary = HOME / "go-service"
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=EXAMPLE / "go", check=True)
    return [
        Service("go", [str(binary)], {**env, "PORT": "8080", "DB_PATH": str(HOME / "users.db")}),
        Service("api", ["npm", "start", "--silent"], {**env, "PORT": "3001", "GO_URL": "http://localhost:8080"},
                EXAMPLE / "api"),
        Service("web", ["npm", "start", "--silent"], {**env, "PORT": "3000", "API_URL": "http://localhost:3001"},
                EXAMPLE / "web"),
    ]


def main():
    parser = argparse.ArgumentParser(prog="./dev up", description=__doc__)
    parser.add_argument("--example", choices=("yes", "no"), default="yes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HOME.mkdir(parents=True, exist_ok=True)
    key = api_key()
    services = []
    try:
        services.append(start_server(key))
        if options.example == "yes":
            services += start_example(key)
            for service in services[1:]:
                service.wait_ready()
            print("\n  the example   http://localhost:3000   click Load Users, then look at")
        print(f"  the traces    {SERVER}/traces\n\n  Ctrl-C stops everything; logs are in build/up\n", flush=True)
        with urllib.request.urlopen(SERVER + "/readyz", timeout=5):
            pass
        while all(service.process.poll() is None for service in services):
            time.sleep(0.5)
        dead = next(service for service in services if service.process.poll() is not None)
        print(f"{dead.name} stopped; the end of {dead.log_path}:\n{dead.log_path.read_text(errors='replace')[-2000:]}")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for service in reversed(services):
            service.stop()


if __name__ == "__main__":
    sys.exit(main())
