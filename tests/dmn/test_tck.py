"""The DMN Technology Compatibility Kit, where the checkout's parent folder holds it."""

import importlib.util
import sys
from pathlib import Path

import pytest

TCK = Path(__file__).resolve().parents[3] / "shared" / "tck"

pytestmark = pytest.mark.skipif(not (TCK / "tck_harness.py").exists(), reason="the DMN TCK is not in ../shared/tck")


@pytest.fixture(scope="module")
def harness():
    spec = importlib.util.spec_from_file_location("tck_harness", TCK / "tck_harness.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tck_harness"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["tck_harness"]


@pytest.fixture
def adapter(harness):
    from dmn.tck import Adapter

    return Adapter()


@pytest.mark.parametrize("level", ["compliance-level-2", "compliance-level-3"])
def test_all_cases_of_a_level_pass(harness, adapter, level):
    rows = harness.run(TCK, adapter, flt=f"/{level}/")
    failed = [f"{folder}/{case}: {note}" for _, folder, case, _, passed, note in rows if not passed]
    assert len(rows) > 80
    assert failed == []
