"""Random pictures and what Pillow reads of them, for `cargo bench --bench pictures`.

    python pictures.py SEED

Says what it is, then answers every line of input, a number, with the picture of that number: a line of JSON (`format`,
`what`, `damage`, `bytes`, and `w` and `h`, or `refused`), the bytes of the file, and those of `convert("RGB")`.
"""

import io
import json
import sys
import warnings

import numpy as np
import PIL
import pictures_by_hand as by_hand
from PIL import Image, features

warnings.simplefilter("ignore")


def size(rng):
    side = lambda: int(rng.integers(1, rng.choice([3, 9, 18, 40, 70, 150, 300])))
    return side(), side()


def pixels(rng, w, h, channels):
    """[h, w, channels] bytes: noise, one colour, few colours, a smooth picture, or one with edges and grain."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    kind = rng.integers(5)
    if kind == 0:
        return rng.integers(0, 256, (h, w, channels), dtype=np.uint8)
    if kind == 1:
        return np.broadcast_to(rng.integers(0, 256, channels, dtype=np.uint8), (h, w, channels)).copy()
    if kind == 2:
        colours = rng.integers(0, 256, (int(rng.integers(1, 9)), channels), dtype=np.uint8)
        return colours[rng.integers(0, len(colours), (h, w))]
    waves = rng.uniform(-0.4, 0.4, (channels, 2))
    planes = [128 + 140 * np.sin(a * x + b * y + c) for c, (a, b) in enumerate(waves)]
    if kind == 4:
        planes = [p + 90 * ((x // 5 + y // 7) % 2) + rng.normal(0, 12, (h, w)) for p in planes]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def image(rng, mode):
    w, h = size(rng)
    if mode == "I;16":
        values = rng.integers(0, rng.choice([256, 300, 65536]), (h, w)).astype(np.uint16)
        return Image.fromarray(values)
    if mode == "1":
        return Image.fromarray(pixels(rng, w, h, 1)[:, :, 0]).convert("1")
    if mode == "P":
        colours = int(rng.integers(1, 257))
        return Image.fromarray(pixels(rng, w, h, 3)).quantize(colours, dither=Image.Dither.NONE)
    channels = {"L": 1, "LA": 2, "RGB": 3, "YCbCr": 3, "RGBA": 4, "CMYK": 4}[mode]
    data = pixels(rng, w, h, channels)
    return Image.frombytes(mode, (w, h), data.tobytes())


def chance(rng, p):
    return bool(rng.random() < p)


def exif(rng):
    tags = Image.Exif()
    tags[0x0112] = int(rng.integers(1, 9))
    return tags


def extras(rng, options):
    """Metadata, which no pixel depends on."""
    if chance(rng, 0.2):
        options["exif"] = exif(rng)
    if chance(rng, 0.1):
        options["dpi"] = (int(rng.integers(1, 600)), 72)
    if chance(rng, 0.1):
        options["icc_profile"] = rng.bytes(int(rng.choice([40, 3000, 70000])))
    if chance(rng, 0.1):
        options["xmp"] = rng.bytes(int(rng.integers(1, 900)))
    return options


def qtables(rng):
    most = int(rng.choice([20, 255, 2000]))
    return [[int(v) for v in rng.integers(1, most + 1, 64)] for _ in range(int(rng.integers(1, 5)))]


def jpeg(rng):
    mode = str(rng.choice(["L", "RGB", "RGB", "RGB", "RGB", "CMYK", "YCbCr", "1"]))
    options = extras(rng, {"quality": int(rng.integers(1, 101))})
    if chance(rng, 0.1):
        options["quality"] = str(rng.choice(["web_low", "web_high", "low", "medium", "high", "maximum"]))
    options["subsampling"] = int(rng.integers(-1, 3))
    for name, p in [("progressive", 0.3), ("optimize", 0.2), ("keep_rgb", 0.15)]:
        if chance(rng, p):
            options[name] = True
    if chance(rng, 0.2):
        options[str(rng.choice(["restart_marker_blocks", "restart_marker_rows"]))] = int(rng.integers(1, 9))
    if chance(rng, 0.15):
        options["qtables"] = qtables(rng)
        if not isinstance(options["quality"], int):
            options["quality"] = 75
    if mode == "L" and chance(rng, 0.1):
        options["smooth"] = int(rng.integers(1, 100))
    if chance(rng, 0.1):
        options["comment"] = rng.bytes(int(rng.integers(1, 300)))
    if chance(rng, 0.03):
        options["streamtype"] = int(rng.integers(0, 3))
    data = saved(image(rng, mode), "JPEG", options)
    if chance(rng, 0.4):
        data, change = by_hand.jpeg(rng, data)
        mode = f"{mode} {change}"
    return data, mode, options


def png(rng):
    if chance(rng, 0.5):
        return by_hand.png(rng)
    mode = str(rng.choice(["1", "L", "LA", "I;16", "P", "P", "RGB", "RGBA"]))
    made = image(rng, mode)
    options = extras(rng, {"compress_level": int(rng.integers(0, 10)), "compress_type": int(rng.integers(0, 5))})
    if chance(rng, 0.2):
        options["optimize"] = True
    if mode == "P":
        if chance(rng, 0.4):
            options["bits"] = int(rng.choice([1, 2, 4, 8]))
        if chance(rng, 0.5):
            options["transparency"] = rng.bytes(3) if chance(rng, 0.5) else 0
    elif chance(rng, 0.3):
        if mode == "RGB":
            options["transparency"] = tuple(int(v) for v in made.getpixel((0, 0)))
        elif mode in ("1", "L", "I;16"):
            options["transparency"] = int(made.getpixel((0, 0)))
    if mode in ("L", "RGB", "RGBA") and chance(rng, 0.1):
        options["save_all"] = True
        options["append_images"] = [frame(rng, made) for _ in range(int(rng.integers(1, 4)))]
        options["default_image"] = chance(rng, 0.5)
    return saved(made, "PNG", options), mode, options


def frame(rng, first):
    channels = len(first.getbands())
    data = pixels(rng, *first.size, channels)
    return Image.frombytes(first.mode, first.size, data.tobytes())


def webp(rng):
    mode = str(rng.choice(["L", "LA", "P", "RGB", "RGB", "RGBA", "RGBA"]))
    made = image(rng, mode)
    options = extras(rng, {"quality": int(rng.integers(0, 101)), "method": int(rng.integers(0, 7))})
    options["lossless"] = chance(rng, 0.4)
    options["exact"] = chance(rng, 0.3)
    options["alpha_quality"] = int(rng.integers(0, 101))
    if mode in ("RGB", "RGBA") and chance(rng, 0.2):
        options["save_all"] = True
        options["append_images"] = [frame(rng, made) for _ in range(int(rng.integers(1, 4)))]
        options["duration"] = 40
        options["allow_mixed"] = chance(rng, 0.3)
        options["background"] = tuple(int(v) for v in rng.integers(0, 256, 4))
    return saved(made, "WEBP", options), mode, options


def bmp(rng):
    if chance(rng, 0.5):
        return by_hand.bmp(rng)
    mode = str(rng.choice(["1", "L", "P", "RGB", "RGBA"]))
    return saved(image(rng, mode), "BMP", {}), mode, {}


def saved(made, kind, options):
    out = io.BytesIO()
    made.save(out, kind, **options)
    return out.getvalue()


def damaged(rng, data, kind):
    """The file cut, glued, or with some of its bytes changed; and what was done."""
    at = int(rng.integers(2, max(3, len(data))))
    span = int(rng.integers(1, 40))
    ways = ["cut", "flip", "flip", "zero", "drop", "insert"]
    if kind == "JPEG":
        ways += ["cut and ended", "sampling"]
    way = str(rng.choice(ways))
    if way == "cut":
        data = data[:at]
    elif way == "sampling":
        data = by_hand.resampled(rng, data)
    elif way == "cut and ended":
        data = data[:at] + b"\xff\xd9"
    elif way == "flip":
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            changed[int(rng.integers(2, max(3, len(data)))) % len(data)] ^= int(rng.integers(1, 256))
        data = bytes(changed)
    elif way == "zero":
        data = data[:at] + bytes(len(data[at : at + span])) + data[at + span :]
    elif way == "drop":
        data = data[:at] + data[at + span :]
    else:
        data = data[:at] + rng.bytes(span) + data[at:]
    return data, f"{way} at {at}"


def brief(value):
    return value if isinstance(value, (bool, int, float, str)) else type(value).__name__


def answer(seed, number):
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(["JPEG", "JPEG", "JPEG", "PNG", "PNG", "WEBP", "BMP"]))
    try:
        data, what, options = {"JPEG": jpeg, "PNG": png, "WEBP": webp, "BMP": bmp}[kind](rng)
    except (OSError, ValueError, TypeError, SystemError) as why:
        # Options that do not go together; Pillow writes no such file.
        return {"format": kind, "what": f"unwritten: {why}", "unwritten": True, "bytes": 0}, b"", b""
    told = " ".join(f"{name}={brief(value)}" for name, value in options.items())
    about = {"format": kind, "what": f"{what} {told}".strip(), "damage": None}
    if chance(rng, 0.3):
        data, about["damage"] = damaged(rng, data, kind)
    about["bytes"] = len(data)
    try:
        opened = Image.open(io.BytesIO(data))
        about["as"] = opened.format
        rgb = opened.convert("RGB")
        about["w"], about["h"] = rgb.size
        rgb = rgb.tobytes()
    except Exception as why:
        about["refused"] = f"{type(why).__name__}: {why}"
        rgb = b""
    return about, data, rgb


if __name__ == "__main__":
    seed = int(sys.argv[1])
    print(f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}", flush=True)
    for line in sys.stdin:
        about, data, rgb = answer(seed, int(line))
        sys.stdout.buffer.write(json.dumps(about).encode() + b"\n" + data + rgb)
        sys.stdout.buffer.flush()
