"""Files that Pillow reads and does not write: for `pictures.py`."""

import struct
import zlib

import numpy as np


def jpeg(rng, data):
    """A JPEG with its markers changed, and what was done."""
    segments, rest = split(data)
    way = str(rng.choice(["Adobe", "bare", "names", "trailer", "no end", "panorama", "padding", "order"]))
    if way == "Adobe":
        transform = int(rng.integers(0, 4))
        body = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
        place = int(rng.integers(0, len(segments)))
        segments.insert(place, (0xEE, body))
        way = f"Adobe {transform}"
    elif way == "bare":
        segments = [s for s in segments if s[0] not in (0xE0, 0xEE)]
    elif way == "names":
        names = [b"\1\2\3\4", b"RGBA", b"\0\1\2\3", b"YCck", b"rgba", b"\1\x22\x23\4"]
        names = names[int(rng.integers(0, len(names)))]
        if rng.random() < 0.7:
            segments = [s for s in segments if s[0] not in (0xE0, 0xEE)]
        segments, rest = renamed(segments, rest, names)
        way = f"names {names!r}"
    elif way == "trailer":
        rest += rng.bytes(int(rng.integers(1, 200)))
    elif way == "no end":
        rest = rest[:-2]
    elif way == "panorama":
        # Samsung's have other data where the end marker belongs.
        rest = rest[:-2] + bytes(rng.integers(0, 128, 300, dtype=np.uint8)) + b"SEFT"
    elif way == "padding":
        place = int(rng.integers(0, len(segments)))
        segments.insert(place, (None, b"\xff" * int(rng.integers(1, 9))))
    elif way == "order":
        free = [i for i, s in enumerate(segments[:-1]) if s[0] not in (0xC0, 0xC1, 0xC2, 0xDA)]
        a, b = rng.choice(free, 2)
        segments[a], segments[b] = segments[b], segments[a]
    return join(segments) + rest, way


def split(data):
    """The segments up to the first scan's, and the bytes behind it."""
    segments, at = [], 2
    while at + 4 <= len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        segments.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA or data[at : at + 2] == b"\xff\xd9":
            break
    return segments, data[at:]


def join(segments):
    out = b"\xff\xd8"
    for marker, body in segments:
        if marker is None:
            out += body
        else:
            out += bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return out


def renamed(segments, rest, names):
    """Components with other names, in the frame and in every scan."""
    old = next((body[6::3] for marker, body in segments if marker and 0xC0 <= marker <= 0xC2), b"")
    new = dict(zip(old, names))

    def frame(body):
        body = bytearray(body)
        body[6::3] = bytes(new[c] for c in body[6::3])
        return bytes(body)

    def scan(body):
        body = bytearray(body)
        for c in range(1, 1 + 2 * body[0], 2):
            body[c] = new.get(body[c], body[c])
        return bytes(body)

    change = {0xC0: frame, 0xC1: frame, 0xC2: frame, 0xDA: scan}
    segments = [(marker, change.get(marker, bytes)(body)) for marker, body in segments]
    at = rest.find(b"\xff\xda")
    while at >= 0 and at + 4 < len(rest):
        end = at + 2 + struct.unpack(">H", rest[at + 2 : at + 4])[0]
        rest = rest[: at + 4] + scan(rest[at + 4 : end]) + rest[end:]
        at = rest.find(b"\xff\xda", end)
    return segments, rest


def resampled(rng, data):
    """Other sampling factors, which the data do not fit."""
    segments, rest = split(data)
    for i, (marker, body) in enumerate(segments):
        if marker in (0xC0, 0xC1, 0xC2):
            body = bytearray(body)
            for c in range(body[5]):
                body[7 + 3 * c] = int(rng.integers(1, 5)) << 4 | int(rng.integers(1, 5))
            segments[i] = marker, bytes(body)
    return join(segments) + rest


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}
# Adam7: where each pass begins, and its steps.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(rng):
    """Every colour type, depth, filter and interlacing."""
    colour = int(rng.choice(list(CHANNELS)))
    depth = int(rng.choice(DEPTHS[colour]))
    w, h = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    entries = int(rng.integers(1, 2**depth + 1)) if colour == 3 else 0
    top = entries if colour == 3 else 2**depth
    if depth == 16 and rng.random() < 0.3:
        top = 300
    values = rng.integers(0, top, (h, w, CHANNELS[colour]))
    interlaced = rng.random() < 0.4
    if interlaced:
        body = b"".join(filtered(rng, values[y::dy, x::dx], depth) for x, y, dx, dy in PASSES)
    else:
        body = filtered(rng, values, depth)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, int(interlaced)))
    if rng.random() < 0.2:
        out += chunk(b"gAMA", struct.pack(">I", int(rng.integers(20000, 250000))))
    if rng.random() < 0.1:
        out += chunk(b"sRGB", b"\0")
    if rng.random() < 0.1:
        out += chunk(b"tEXt", b"Comment\0made by hand")
    if colour == 3:
        out += chunk(b"PLTE", rng.bytes(3 * entries))
    elif colour in (2, 6) and rng.random() < 0.1:
        out += chunk(b"PLTE", rng.bytes(12))
    transparent = rng.random() < 0.3 and colour in (0, 2, 3)
    if transparent:
        out += chunk(b"tRNS", transparency(rng, colour, entries, values))
    data = zlib.compress(body, int(rng.integers(0, 10)))
    step = int(rng.choice([7, 100, len(data)]))
    for at in range(0, len(data), step):
        out += chunk(b"IDAT", data[at : at + step])
    out += chunk(b"IEND", b"")
    return out, f"colour {colour} depth {depth}", {"interlace": interlaced, "transparency": transparent}


def transparency(rng, colour, entries, values):
    if colour == 3:
        return rng.bytes(int(rng.integers(1, entries + 1)))
    return b"".join(struct.pack(">H", int(v)) for v in values[0, 0])


def packed(row, depth):
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = (row.reshape(-1, 1) >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()


def filtered(rng, values, depth):
    h, w, channels = values.shape
    if h == 0 or w == 0:
        return b""
    rows = [np.frombuffer(packed(row.reshape(-1), depth), np.uint8).astype(int) for row in values]
    step = max(1, channels * depth // 8)
    out, above = b"", np.zeros_like(rows[0])
    for row in rows:
        kind = int(rng.integers(0, 5))
        left = np.concatenate([np.zeros(step, int), row])[: len(row)]
        corner = np.concatenate([np.zeros(step, int), above])[: len(row)]
        guess = [0, left, above, (left + above) // 2, paeth(left, above, corner)][kind]
        out += bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    return out


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))


def bmp(rng):
    """Every depth, with masks and run lengths, upside down and with the headers of Windows and OS/2."""
    w, h = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    way = str(rng.choice(["palette", "palette", "rgb24", "rgb32", "555", "565", "masks32", "rle8", "rle4", "os2"]))
    bits = {"palette": int(rng.choice([1, 4, 8])), "rgb24": 24, "555": 16, "565": 16, "rle8": 8, "rle4": 4, "os2": 8}
    bits = bits.get(way, 32)
    entries = 0
    if bits <= 8:
        entries = 2**bits if way == "os2" or rng.random() < 0.6 else int(rng.integers(1, 2**bits + 1))
    palette = rng.integers(0, 256, (entries, 3), dtype=np.uint8)
    if bits == 1 and rng.random() < 0.5:
        palette = np.array([[0] * 3, [255] * 3], np.uint8)[: len(palette)]
    masks, compression = b"", 0
    if way == "565":
        masks, compression = struct.pack("<III", 0xF800, 0x07E0, 0x001F), 3
    elif way == "masks32":
        order = [(0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00), (0xFF, 0xFF00, 0xFF0000)]
        masks, compression = struct.pack("<III", *order[int(rng.integers(0, 3))]), 3
    if way in ("rle8", "rle4"):
        compression = 1 if bits == 8 else 2
        body = runs(rng, w, h, bits, entries)
    else:
        body = rows(rng, w, h, bits, entries)
    down = way in ("rgb24", "rgb32", "palette") and rng.random() < 0.3
    colours = b"".join(bytes(c) + (b"" if way == "os2" else b"\0") for c in palette)
    if way == "os2":
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        tall = -h if down else h
        head = struct.pack("<IiiHHIIiiII", 40, w, tall, 1, bits, compression, len(body), 2835, 2835, entries, 0)
    offset = 14 + len(head) + len(masks) + len(colours)
    out = b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + masks + colours + body
    return out, f"{way} {bits} bits", {"entries": entries, "down": down}


def rows(rng, w, h, bits, entries):
    out = b""
    for _ in range(h):
        if bits <= 8:
            row = packed(rng.integers(0, entries, w), bits)
        else:
            row = rng.bytes(w * bits // 8)
        out += row + bytes(-len(row) % 4)
    return out


def runs(rng, w, h, bits, entries):
    out = b""
    for y in range(h):
        x = 0
        while x < w:
            n = int(min(w - x, rng.integers(1, 12)))
            if n >= 3 and rng.random() < 0.4:
                values = packed(rng.integers(0, entries, n), bits)
                out += bytes([0, n]) + values + bytes(len(values) % 2)
            else:
                value = int(rng.integers(0, entries))
                out += bytes([n, value if bits == 8 else value << 4 | int(rng.integers(0, entries))])
            x += n
        out += b"\0\0" if y + 1 < h else b""
    return out + b"\0\1"
