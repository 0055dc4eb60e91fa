"""What the SDKs cost the programs they live in, beside OpenTelemetry's of the same language, in one run.

A language hooks in with one file, bench/sdk/LANGUAGE.py: `figures()` yields (name, ours, theirs or None, bar or None),
and `gates(measured)`, which may be left out, the sentences of what must hold on every machine (sizes, allocations,
instruction counts) and does not. Times are figures like all others here: facts about a machine and a moment.
"""

import importlib.util
from pathlib import Path

from queries import Wrong

LANGUAGES = Path(__file__).resolve().parent / "sdk"


def language(path):
    spec = importlib.util.spec_from_file_location(f"sdk_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def beside(ours, theirs, bar):
    text = told(ours)
    if bar is not None:
        text += f", bar {told(bar)}"
    if theirs is not None:
        text += f", OpenTelemetry {told(theirs)} ({theirs / ours:.1f}x)" if ours > 0 else f", OpenTelemetry {told(theirs)}"
    return text


def sdk(options):
    """what the SDKs cost, beside OpenTelemetry's of the same language: a span, a request, a start, their sizes"""
    figures = {}
    for path in sorted(LANGUAGES.glob("*.py")):
        module, measured = language(path), {}
        for name, ours, theirs, bar in module.figures():
            measured[name] = (ours, theirs, bar)
            figures[f"{path.stem}: {name}"] = beside(ours, theirs, bar)
        wrong = list(getattr(module, "gates", lambda _: [])(measured))
        if wrong:
            raise Wrong(f"{path.stem}: {'; '.join(wrong)}")
    return figures


sdk.once = True

MEASUREMENTS = {"sdk": sdk}
