"""A sampler in the place of one's own: two Gaussian spots that move over 32-pixel images. It needs Python alone.

Image i comes from (seed, i) and nothing else, so any range of images may be asked for."""

import argparse
import math
import os
import random
import struct
import zlib

SIDE = 32
COLOURS = [(255, 96, 32), (32, 128, 255)]


def picture(seed, index, spread, distance):
    """Rows of RGB bytes of image `index`."""
    rng = random.Random(f"{seed} {index}")
    x, y, turn = rng.uniform(8, 24), rng.uniform(8, 24), rng.uniform(0, 2 * math.pi)
    dx, dy = math.cos(turn) * distance / 2, math.sin(turn) * distance / 2
    spots = [(x + dx, y + dy), (x - dx, y - dy)]
    reach = [[[math.exp(-((p - c) ** 2) / (2 * spread**2)) for p in range(SIDE)] for c in spot] for spot in spots]
    rows = []
    for r in range(SIDE):
        row = bytearray()
        for c in range(SIDE):
            light = [across[c] * down[r] for across, down in reach]
            row += bytes(min(255, int(sum(l * k[ch] for l, k in zip(light, COLOURS)) + 24)) for ch in range(3))
        rows.append(bytes(row))
    return rows


def write_png(path, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--count", type=int, required=True)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--spread", type=float, default=3.0, help="standard deviation of a spot, in pixels")
    arguments.add_argument("--distance", type=float, default=8.0, help="between the two spots, in pixels")
    asked = arguments.parse_args()
    for index in range(asked.first, asked.first + asked.count):
        rows = picture(asked.seed, index, asked.spread, asked.distance)
        write_png(os.path.join(asked.out, f"{index:06}.png"), rows)
    print(f"{asked.count} images from {asked.first}")


if __name__ == "__main__":
    main()
