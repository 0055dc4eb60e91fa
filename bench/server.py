"""A server to measure, the tools that load and ask it, and what the system says of both."""

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ["TRACEKIT_BIN"]).parent if "TRACEKIT_BIN" in os.environ else ROOT / "build" / "release"
SERVER_CORE, LOAD_CORE = 1, 0
READY_SECONDS = 600
QUIET_SECONDS = 3  # of next to no CPU: nothing is sealed or compacted any more
QUIET_SHARE = 0.02  # of a core
SETTLE_SECONDS = 900


class Server:
    """A server on a free port, on one core or on all of them."""

    def __init__(self, directory, options, cores=1):
        where = str(SERVER_CORE) if cores == 1 else f"0-{cores - 1}"
        command = ["taskset", "-c", where, str(BUILD / "tracekit"), "serve", "--dev", "--data", str(directory),
                   "--listen", "127.0.0.1:0", "--threads", str(cores), *options.serve.split()]
        self.directory = Path(directory)
        self.load_knobs = options.load.split()
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        stdin=subprocess.DEVNULL)
        atexit.register(self.kill)
        line = self.process.stdout.readline()
        self.ready_seconds = time.monotonic() - started
        if not line.startswith("tracekit ready "):
            self.kill()
            raise SystemExit(f"bench: the server did not become ready: {line!r}")
        self.url = line.split()[-1]
        self.cpu_at_stop = None

    def status_mib(self, field):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) / 1024

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def settle(self):
        """Waits until the server has nothing to do any more; the seconds that took."""
        begin = time.monotonic()
        quiet, before = 0, self.cpu_seconds()
        while quiet < QUIET_SECONDS and time.monotonic() < begin + SETTLE_SECONDS:
            time.sleep(1)
            now = self.cpu_seconds()
            quiet = quiet + 1 if now - before <= QUIET_SHARE else 0
            before = now
        return time.monotonic() - begin - quiet

    def metrics(self):
        """What /metrics says, without the prefix."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as response:
            text = response.read().decode()
        return {name: float(value) for name, value in re.findall(r"^tracekit_(\w+) ([\d.e+]+)$", text, re.M)}

    def get_json(self, target):
        with urllib.request.urlopen(self.url + target, timeout=600) as response:
            return json.load(response)

    def stop(self):
        """The orderly end, which seals; afterwards `cpu_at_stop` holds all CPU that it ever took."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        self.cpu_at_stop = usage.ru_utime + usage.ru_stime

    def kill(self):
        if self.process.returncode is not None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def tool(*command, quiet=False):
    """Starts one of our programs on the load's core; a quiet one may fail."""
    program, *arguments = command
    return subprocess.Popen(["taskset", "-c", str(LOAD_CORE), str(BUILD / program), *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None)


def output(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"bench: {' '.join(process.args)} failed")
    return out


def start_load(server, *arguments, quiet=False):
    """The measurement's own knobs come last: what it is about cannot be turned by --load."""
    return tool("tracekit", "bench", "--server", server.url, "--json", *server.load_knobs, *arguments, quiet=quiet)


def load(server, *arguments):
    return json.loads(output(start_load(server, *arguments)))


class Directory:
    """A fresh data directory, on the disk that TRACEKIT_BENCH_DIR names; gone afterwards."""

    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix="tracekit-bench-", dir=os.environ.get("TRACEKIT_BENCH_DIR")))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def disk_bytes(directory):
    """Bytes of files by kind: their endings."""
    kinds = {}
    for path in Path(directory).rglob("*"):
        if path.is_file():
            kind = path.suffix.lstrip(".") or path.name
            kinds[kind] = kinds.get(kind, 0) + path.stat().st_size
    return kinds


def sections(directory):
    """Bytes of segments by section, where `tracekit check --json` tells; {} where it does not."""
    done = subprocess.run([BUILD / "tracekit", "check", str(directory), "--json"], capture_output=True, text=True)
    try:
        return json.loads(done.stdout).get("sections", {})
    except (ValueError, AttributeError):
        return {}
