"""What the speed claims rest on. Run from the root, such as ``python -m benchmarks.complete_task``."""
