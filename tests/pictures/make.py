"""The picture files of tests/io/pictures.rs and the FNV-1a of the RGB bytes that Pillow makes of each.

    python tests/pictures/make.py        # prints the tables of tests/io/pictures.rs and odd_pictures.rs; needs pillow and numpy
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, features

HERE = pathlib.Path(__file__).resolve().parent


def photo(w, h):
    """Smooth colour, edges and grain."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    rng = np.random.default_rng(7)
    planes = [
        128 + 90 * np.sin(x / 5 + 0.3 * y),
        255 * ((x // 7 + y // 5) % 2),
        40 + 180 * y / h + 20 * np.cos(x),
    ]
    grain = rng.normal(0, 9, (h, w, 3))
    return np.clip(np.stack(planes, -1) + grain, 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, depth, colour, rows, extra=b""):
    head = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def wide(channels):
    """16-bit rows of 12 by 3 from a ramp that visits both ends."""
    values = np.linspace(0, 65535, 36 * channels).astype(">u2")
    values[1], values[-2] = 200, 65535
    return [values[i * 12 * channels : (i + 1) * 12 * channels].tobytes() for i in range(3)]


def files():
    rgb = Image.fromarray(photo(75, 53))
    grey = rgb.convert("L")
    yield "420.jpg", saved(rgb, "JPEG", quality=80, subsampling=2)
    yield "422.jpg", saved(rgb, "JPEG", quality=92, subsampling=1)
    yield "444.jpg", saved(rgb, "JPEG", quality=60, subsampling=0)
    yield "odd.jpg", saved(rgb.crop((0, 0, 17, 9)), "JPEG", quality=75)
    yield "thin.jpg", saved(rgb.crop((0, 0, 1, 40)), "JPEG", quality=75)
    yield "progressive.jpg", saved(rgb, "JPEG", quality=85, progressive=True)
    yield "restarts.jpg", saved(rgb, "JPEG", quality=85, restart_marker_blocks=3)
    yield "grey.jpg", saved(grey, "JPEG", quality=85)
    yield "cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", quality=90)
    yield "turned.jpg", saved(rgb, "JPEG", quality=85, exif=turned())
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "lossy.webp", saved(rgb, "WEBP", quality=80)
    yield "rgb.bmp", saved(rgb.crop((0, 0, 20, 20)), "BMP")
    yield "grey16.png", png(12, 3, 16, 0, wide(1))
    yield "grey16-transparent.png", png(12, 3, 16, 0, wide(1), chunk(b"tRNS", b"\0\5"))
    yield "grey-alpha16.png", png(12, 3, 16, 4, wide(2))
    yield "rgb16.png", png(12, 3, 16, 2, wide(3))
    yield "rgba16.png", png(12, 3, 16, 6, wide(4))
    yield "grey-alpha.png", saved(grey.crop((0, 0, 9, 9)).convert("LA"), "PNG")
    alpha = rgb.crop((0, 0, 9, 9)).convert("RGBA")
    alpha.putalpha(grey.crop((9, 9, 18, 18)))
    yield "rgba.png", saved(alpha, "PNG")
    yield "palette.png", saved(rgb.quantize(13), "PNG", transparency=2)
    yield "bits.png", saved(grey.crop((0, 0, 19, 5)).convert("1"), "PNG")
    yield "grey4.png", png(4, 2, 4, 0, [b"\x0f\x5a", b"\x93\x70"])
    yield "transparent.png", png(2, 1, 8, 2, [bytes([5, 5, 5, 6, 6, 6])], chunk(b"tRNS", b"\0\5\0\5\0\5"))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return h


if __name__ == "__main__":
    import PIL

    print(f"// Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}")
    for name, data in files():
        (HERE / name).write_bytes(data)
        image = Image.open(io.BytesIO(data)).convert("RGB")
        print(f'    ("{name}", {image.width}, {image.height}, 0x{fnv(image.tobytes()):016x}),')
    print("// Halves with an end marker")
    for name in ["420.jpg", "progressive.jpg", "restarts.jpg", "grey.jpg", "cmyk.jpg"]:
        data = (HERE / name).read_bytes()
        image = Image.open(io.BytesIO(data[: len(data) // 2] + b"\xff\xd9")).convert("RGB")
        print(f'    ("{name}", 0x{fnv(image.tobytes()):016x}),')
