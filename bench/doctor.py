"""The doctor over a monorepo of 100,000 files."""

import json
import random
import resource
import subprocess
import time

from server import ROOT, Directory

FILES = 100000
SERVICES = 400
RUNS = 5  # the project takes longer to make than to examine
TOLD_OF = 20  # one file in so many says something of servers, requests or tracing

# Of each language: what its manifest is called and asks for, how it starts the SDK, a function, and what is told of.
LANGUAGES = {
    "js": ("package.json", '{{"name": "{0}", "dependencies": {{"express": "4.22.3", "@tracekit/node": "0.1.0"}}}}\n',
           "const express = require('express');\nconst {{ TraceKit }} = require('@tracekit/node');\n"
           "TraceKit.init({{ apiKey: process.env.TRACEKIT_API_KEY, serviceName: '{0}' }});\nconst app = express();\n"
           "app.use(TraceKit.Handlers.requestHandler());\napp.use(TraceKit.Handlers.tracingHandler());\n"
           "app.get('/', (req, res) => res.json([]));\napp.listen({1});\n",
           "/** Adds {0} of what is given to {1}, unless there is none. */\nexport function {0}({1}, options = {{}}) {{\n"
           "  const {{ limit = 100, name = '{1}' }} = options;\n  if (!{1} || {1}.length > limit) return null;\n"
           "  return {1}.map((item) => ({{ ...item, [name]: item.{0} ?? 'none' }}));\n}}\n\n",
           "const response = await fetch('https://api.example.com/{0}/{1}');\n"),
    "go": ("go.mod", "module {0}\n\ngo 1.22\n\nrequire github.com/Tracekit-Dev/go-sdk v0.1.0\n",
           'package main\n\nimport (\n\t"net/http"\n\t"os"\n\n\t"github.com/Tracekit-Dev/go-sdk/tracekit"\n)\n\nfunc main() {{\n'
           '\tsdk, _ := tracekit.NewSDK(tracekit.Config{{APIKey: os.Getenv("TRACEKIT_API_KEY"), ServiceName: "{0}"}})\n\tmux := http.NewServeMux()\n'
           '\thttp.ListenAndServe(":{1}", sdk.HTTPHandler(mux, ""))\n}}\n',
           "// {0} says how many of {1} there are.\nfunc {0}({1} []string, limit int) (int, error) {{\n"
           "\tseen := map[string]bool{{}}\n\tfor _, one := range {1} {{\n\t\tif seen[one] {{\n\t\t\tcontinue\n\t\t}}\n"
           "\t\tseen[one] = true\n\t}}\n\tif len(seen) > limit {{\n\t\treturn 0, errors.New(\"too many {1}\")\n\t}}\n"
           "\treturn len(seen), nil\n}}\n\n",
           'var {0}Docs = "https://docs.example.com/{1}"\n'),
    "py": ("requirements.txt", "flask==3.1.3\ntracekit-apm==0.1.0\n",
           "import os\nimport tracekit\nfrom flask import Flask\nfrom tracekit.integrations.flask import init_flask_app\n\n"
           "tracekit.init(api_key=os.environ['TRACEKIT_API_KEY'], service_name='{0}')\napp = Flask(__name__)\n"
           "init_flask_app(app)\n\nif __name__ == '__main__':\n    app.run(port={1})\n",
           "def {0}({1}, limit=100):\n    \"\"\"Says what of {1} is to be kept, and why.\"\"\"\n    kept = {{}}\n"
           "    for name, value in sorted({1}.items()):\n        if len(kept) >= limit:\n            break\n"
           "        kept[name] = value.strip().lower() or '{0}'\n    return kept\n\n\n",
           "{0} = requests.get('https://api.example.com/{1}').json()\n"),
}
WORDS = [a + b for a in ("load", "merge", "split", "count", "render", "parse", "group", "find") for b in
         ("Users", "Orders", "Prices", "Items", "Pages", "Rows", "Names", "Events", "Rules", "Dates")]


def make_project(folder, files=FILES, services=SERVICES):
    """Sources of 1 to 6 kB as programs have them, in services of three languages. The same files each time."""
    chance = random.Random(1)
    bodies = {end: ["".join(function.format(*chance.sample(WORDS, 2)) for _ in range(chance.randint(3, 16)))
                    for _ in range(200)] for end, (_, _, _, function, _) in LANGUAGES.items()}
    for number in range(services):
        end, (manifest, asks, starts, _, tells) = list(LANGUAGES.items())[number % len(LANGUAGES)]
        name, top = f"service-{number}", folder / f"team-{number % 20}" / f"service-{number}"
        for inner in range(10):
            (top / "lib" / f"part-{inner}").mkdir(parents=True)
        (top / manifest).write_text(asks.format(name))
        (top / f"main.{end}").write_text(starts.format(name, 3000 + number))
        for source in range(files // services - 2):
            text = chance.choice(bodies[end])
            if source % TOLD_OF == 0:
                text += tells.format(*chance.sample(WORDS, 2))
            (top / "lib" / f"part-{source % 10}" / f"{WORDS[source % len(WORDS)]}{source}.{end}").write_text(text)


def doctor(_options):
    """the doctor over a monorepo of 100,000 files in 400 services"""
    with Directory() as folder:
        make_project(folder / "project")
        figures = {}
        for _ in range(RUNS):
            begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([ROOT / "build/release/tracekit", "doctor", "--json", folder / "project"],
                                  capture_output=True, text=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            told = json.loads(done.stdout)
            if len(told["services"]) != SERVICES or told["findings"]:
                raise SystemExit(f"bench: wrong answer: {len(told['services'])} services, {told['findings'][:3]}")
            figures.setdefault("doctor: s", []).append(time.monotonic() - begin)
            figures.setdefault("doctor: CPU s", []).append(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return {name: sorted(values)[len(values) // 2] for name, values in figures.items()}


doctor.once = True
MEASUREMENTS = {"doctor": doctor}
