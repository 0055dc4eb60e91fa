"""Writes docs/api.md from the openapi.json of a server; `./dev docs` calls it.

With --check nothing is written: exit 1 when the file is not what it would be.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build/release/tracekit"
PAGE = ROOT / "docs/api.md"


def fetch(url):
    with urllib.request.urlopen(url + "/api/v1/openapi.json", timeout=30) as answer:
        return json.load(answer)


def fetch_from_own_server():
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen([BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0", "--dev"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            return fetch(server.stdout.readline().split()[-1])
        finally:
            server.terminate()
            server.wait(30)


def type_of(schema):
    """A schema in a few words: `Trace`, `string`, `list of Span`."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "array":
        return "list of " + type_of(schema.get("items", {}))
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    return schema.get("type", "any") + (" or null" if schema.get("nullable") else "")


def content_of(part):
    """Media types and schema of a body or an answer."""
    content = part.get("content", {})
    if not content:
        return ""
    kinds = ", ".join(f"`{kind}`" for kind in content)
    return f"{type_of(next(iter(content.values()))['schema'])} as {kinds}"


def write_route(out, method, path, route):
    out.append(f"### {method.upper()} {path}\n")
    end = "" if route["summary"].endswith("?") else "."
    out.append(f"{route['summary']}{end} {route['description']}\n")
    if route["parameters"]:
        out.append("| parameter | in | what |\n|---|---|---|")
        for one in route["parameters"]:
            what = ". ".join(filter(None, [type_of(one["schema"]), one.get("description")]))
            out.append(f"| `{one['name']}` | {one['in']} | {what} |")
        out.append("")
    if "requestBody" in route:
        out.append(f"Body: {content_of(route['requestBody'])}\n")
    good = [(status, answer) for status, answer in route["responses"].items() if int(status) < 400]
    for status, answer in good:
        out.append(f"Answer: {status} {content_of(answer)}".rstrip() + "\n")
    errors = [status for status in route["responses"] if int(status) >= 400]
    if errors:
        out.append(f"Errors: {', '.join(errors)}\n")


def write_schema(out, name, schema):
    out.append(f"### {name}\n")
    for part in schema.get("allOf", []):
        out.append(f"All of {type_of(part)}, and:\n")
    if "description" in schema:
        out.append(f"{schema['description']}.\n")
    if schema.get("type") == "array":
        out.append(f"A {type_of(schema)}.\n")
    if "properties" in schema:
        out.append("| member | what |\n|---|---|")
        for member, inner in schema["properties"].items():
            what = ". ".join(filter(None, [type_of(inner), inner.get("description")]))
            there = "" if member in schema.get("required", []) else " (may be absent)"
            out.append(f"| `{member}` | {what}{there} |")
        out.append("")


def page(api):
    out = ["# The API\n",
           "<!-- Made by `./dev docs` from the server's own /api/v1/openapi.json. -->\n",
           f"{api['info']['description']}\n",
           "Every error carries a body: [Status](#status) from the ingest routes, in the encoding of the request, "
           "[Problem](#problem) from the others.\n",
           "| status | when |\n|---|---|"]
    meanings = {}
    for methods in api["paths"].values():
        for route in methods.values():
            for status, answer in route["responses"].items():
                if int(status) >= 400:
                    meanings[status] = answer["description"]
    out += [f"| {status} | {meanings[status]} |" for status in sorted(meanings)]
    out.append("\n## Routes\n")
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            write_route(out, method, path, route)
    out.append("## Shapes\n")
    for name, schema in api["components"]["schemas"].items():
        write_schema(out, name, schema)
    return "\n".join(out).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(prog="./dev docs", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", metavar="URL", help="ask this one instead of starting the release build")
    parser.add_argument("--check", action="store_true", help="only say whether docs/api.md is up to date")
    options = parser.parse_args()
    text = page(fetch(options.server) if options.server else fetch_from_own_server())
    if not options.check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        print("docs/api.md is not up to date: run ./dev docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
