"""Fills corpus/NAME from the files that the tests read: python seeds.py"""
import shutil
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
GOLDEN = TESTS / "golden" / "checkpoints"
STRANGERS = TESTS / "strangers_files"
LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")


def put(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def safetensors(header, data=b""):
    return len(header).to_bytes(8, "little") + header + data


shutil.rmtree(HERE / "corpus", ignore_errors=True)
for path in sorted([*GOLDEN.iterdir(), *STRANGERS.iterdir()]):
    data = path.read_bytes()
    if path.suffix == ".pt" and data[:2] == b"PK":
        put("torch_zip", path.name, data)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith("/data.pkl"):
                        put("torch_zip", path.stem + ".data.pkl", archive.read(name))
    elif path.suffix == ".pt" and data.startswith(LEGACY):
        put("torch_legacy", path.name, data)
    elif path.suffix == ".safetensors":
        put("safetensors", path.name, data)
    elif path.suffix == ".npz":
        put("numpy", path.name, data)
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist()[:3]:
                if len(archive.read(name)) < 4096:
                    put("numpy", f"{path.stem}.{name}", archive.read(name))
    if path.suffix == ".pkl" or path.name.startswith("fidelity") or path.name in ("adm_reference.npz", "has_nan.npz"):
        put("statistics", path.name, data)
put("safetensors", "empty", safetensors(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'))


def field(number, data):
    out = bytearray([number << 3 | 2])
    length = len(data)
    while length >= 128:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out) + bytes([length]) + data


def constant(name, dims, values):
    shape = b"".join(field(2, b"\x08" + bytes([d])) for d in dims)
    value = field(2, field(8, b"\x08\x01" + field(2, shape) + values))
    return field(1, field(1, name) + field(2, b"Const") + field(5, field(1, b"value") + value))


put("graphdef", "content", constant(b"conv/w", [2, 2], field(4, bytes(16))) + constant(b"b", [2], field(5, bytes(8))))
put("graphdef", "single", field(1, field(1, b"x") + field(2, b"Placeholder")) + constant(b"g", [3], b"\x2d" + bytes(4)))
