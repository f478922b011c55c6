"""The golden files' weight rule (tests/golden/README.md): weights that both sides of a comparison compute."""

import numpy as np

MASK = (1 << 64) - 1


def signs(key, shape):
    """s in [-1, 1), f32, of every element of the tensor called `key` (tests/golden/README.md, "The weight rule")."""
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return (np.float32(2) * u - np.float32(1)).reshape(shape)


def weight(key, shape, gain):
    s = signs(key, shape)
    if key.endswith("running_mean"):
        return np.float32(0.1) * s
    if key.endswith("running_var"):
        return np.float32(1) + np.float32(0.5) * s
    if len(shape) >= 2:
        fan = s.size / shape[0]
        return np.float32(np.sqrt(3.0 * gain / fan)) * s
    if key.endswith("weight"):
        return np.float32(1) + np.float32(0.1) * s
    return np.float32(0.1) * s
