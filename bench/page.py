"""The page in a real browser: how soon it paints, shows a trace, scrolls, folds, searches, and what it takes."""

import json
import os
import subprocess

from server import ROOT, Directory, Server, load

SIZES = {"10k": 10000, "100k": 100000, "1M": 1000000}
LISTED_SPANS = 20000  # in about 2,000 traces: more than the list has rows
BROWSER_SECONDS = 600

# Measured of others on a machine of this kind, with traces of the same size: Jaeger UI 2.16 and Zipkin Lens, April 2026.
RIVALS = """
Others, measured once (2 cores, Chromium without a graphics card):

| | Jaeger UI 2.16 | Zipkin Lens |
|---|---|---|
| first paint of the list | 828 to 996 ms | 740 to 1,188 ms |
| first row of 10,000 spans | 1.3 s | 14.7 s |
| first row of 100,000 spans | 3.1 s | none in 150 s |
| first row of 500,000 spans | 11.6 s | |
| first row of 1,000,000 spans | cannot: its JSON is longer than a string may be | |
| frame while scrolling, p95, 100,000 spans | 220 ms | |
| JS heap, 100,000 spans | 175 MB | |
| elements of the page, 300 rows each side | about 8,600 | every row |
| scripts and styles, gzip | 1,437 kB | 721 kB |
"""


def ui(options):
    """the page in Chromium with traces of 10,000 to 1,000,000 spans: first paint and row, scroll, fold, search"""
    with Directory() as directory:
        server = Server(directory / "data", options)
        traces = []
        load(server, "--spans", LISTED_SPANS, "--seed", options.seed, "--run", 0)
        for run, (name, spans) in enumerate(SIZES.items(), 1):
            listed = directory / name
            load(server, "--spans", spans, "--trace-spans", spans, "--seed", options.seed, "--run", run,
                 "--traces", listed)
            traces.append(f"{name}={listed.read_text().split()[0]}")
        server.settle()
        done = subprocess.run(["node", "bench/page.mjs", server.url, *traces], cwd=ROOT, stdout=subprocess.PIPE,
                              timeout=BROWSER_SECONDS, check=True, text=True, env=os.environ)
        server.stop()
        print(RIVALS)
        return json.loads(done.stdout)


ui.once = True
MEASUREMENTS = {"ui": ui}
