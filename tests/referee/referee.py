"""ONNX Runtime against the bundle: runs every model of a folder on its vectors and compares every element.

`referee.py DIR`, a folder that `cargo run --release -p parity --example vectors` wrote. Exits with 1 where anything differs.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

# The graph as it stands, and as the optimizer rewrites it.
LEVELS = {
    "plain": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "optimized": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def vectors(path: pathlib.Path) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The inputs [count, input] and the embeddings [count, dim] of a vectors file."""
    data = path.read_bytes()
    count, length, dim = numpy.frombuffer(data, "<u4", 3)
    rows = numpy.frombuffer(data, numpy.int8, offset=12).reshape(count, length + dim)
    return rows[:, :length], rows[:, length:]


def compare(path: pathlib.Path, level: onnxruntime.GraphOptimizationLevel) -> tuple[int, int]:
    """How many inputs of a model passed, and how many failed."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    inputs, expected = vectors(path.with_suffix(".vectors"))
    failed = 0
    for tensor, embedding in zip(inputs, expected):
        (got,) = session.run(["embedding"], {"input": tensor.reshape(declared.shape)})
        failed += not numpy.array_equal(got[0], embedding)
    return len(inputs) - failed, failed


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: referee.py DIR", file=sys.stderr)
        return 2
    models = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    if not models:
        print(f"{sys.argv[1]} holds no models: run the example `vectors` first", file=sys.stderr)
        return 2
    passed_all = failed_all = 0
    for path in models:
        onnx.checker.check_model(path, full_check=True)
        for name, level in LEVELS.items():
            passed, failed = compare(path, level)
            print(f"{path.stem} ({name}): {passed} passed, {failed} failed")
            passed_all, failed_all = passed_all + passed, failed_all + failed
    print(f"ONNX Runtime {onnxruntime.__version__}: {passed_all} passed, {failed_all} failed")
    return 1 if failed_all else 0


if __name__ == "__main__":
    sys.exit(main())
