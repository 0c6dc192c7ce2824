"""bench/figures for its tests: where it is, and models made by hand."""
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench" / "figures"), str(ROOT / "tests" / "http")]


def stub(structure, **own):
    """As much of a Model as measures need."""
    tensors = own.pop("tensors", {})
    return SimpleNamespace(structure=structure, own=tensors.get,
                           is_nonnegative=lambda: own.get("nonnegative",
                                                          False),
                           groups=lambda: own.get("groups"),
                           sheet=lambda: own.get("sheet"),
                           units=own.get("units"))
