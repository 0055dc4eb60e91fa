"""Runs the libFuzzer targets of build/fuzz, two at a time, each for a while, from test/fuzz/corpus, the golden
files of the store and the captured exports beside the tree. A crash is kept under build/fuzz-findings. The last line counts the targets."""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "fuzz"
SHARED = Path(os.environ.get("TRACEKIT_SHARED", ROOT.parent / "shared")) / "corpus"
# which captured bodies are good seeds for which target: by path and content type
SEEDS = {"otlp_protobuf": ("/v1/traces", "protobuf"), "otlp_json": ("/v1/traces", "json"),
         "zipkin_json": ("/api/v2/spans", "json"), "json_reader": ("/api/v2/spans", "json")}


GOLDEN = ROOT / "test" / "unit" / "store" / "golden"
# golden files that are good seeds, of every version
GOLDEN_SEEDS = {"segment": "*/*.seg", "log": "*/*.log"}


def captured(what, folder):
    """Copies the captured bodies that fit a target into its working corpus."""
    if what not in SEEDS or not SHARED.is_dir():
        return
    for headers in sorted(SHARED.glob("*.headers.json")):
        head = json.loads(headers.read_text())
        kind = head["headers"].get("content-type", "")
        if head["path"] == SEEDS[what][0] and SEEDS[what][1] in kind and "content-encoding" not in head["headers"]:
            body = headers.with_name(headers.name.replace(".headers.json", ".body"))
            (folder / body.name).write_bytes(body.read_bytes())


def fuzz(binary, seconds, seed):
    what = binary.name.removeprefix("fuzz_")
    corpus = ROOT / "build" / "fuzz-corpus" / what
    findings = ROOT / "build" / "fuzz-findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    captured(what, corpus)
    for seed_file in GOLDEN.glob(GOLDEN_SEEDS[what]) if what in GOLDEN_SEEDS else ():
        (corpus / f"{seed_file.parent.name}-{seed_file.name}").write_bytes(seed_file.read_bytes())
    seeds = ROOT / "test" / "fuzz" / "corpus" / what
    command = [str(binary), f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{what}-", str(corpus)] + ([str(seeds)] if seeds.is_dir() else [])
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=BUILD)
    return what, done.returncode, done.stderr


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="only these, as in fuzz_TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each target [600]")
    parser.add_argument("--seed", type=int, default=0, help="where chance begins; 0: by the clock [0]")
    options = parser.parse_args()
    subprocess.run(["cmake", "--preset", "fuzz", "-Wno-dev"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "build/fuzz", "--target", "fuzz_targets"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    binaries = [path for path in sorted((BUILD / "test").glob("fuzz_*")) if os.access(path, os.X_OK) and path.is_file()]
    if options.targets:
        binaries = [path for path in binaries if path.name.removeprefix("fuzz_") in options.targets]
    if not binaries:
        parser.error("no such target")
    passed = failed = 0
    with ThreadPoolExecutor(2) as pool:
        for what, status, text in pool.map(lambda binary: fuzz(binary, options.seconds, options.seed), binaries):
            runs = [line.split()[-1] for line in text.splitlines() if "number_of_executed_units" in line]
            print(f"{what}: {'ok' if status == 0 else 'FAILED'}, {runs[0] if runs else '?'} runs", flush=True)
            if status == 0:
                passed += 1
            else:
                failed += 1
                print("\n".join(text.splitlines()[-60:]), flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
