"""Reads a compressed stream with the packages websockets and zstandard, and the dictionary of v1.

Usage: client.py URL DICTIONARY EVENTS. Each event is a line on standard output.
"""

import sys

import zstandard
from websockets.sync.client import connect

url, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(path, "rb") as file:
    dictionary = zstandard.ZstdCompressionDict(file.read())
decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
with connect(url, max_size=None) as socket:
    for _ in range(count):
        frame = socket.recv()
        assert isinstance(frame, bytes), frame
        # The size of the content is in each frame.
        sys.stdout.buffer.write(decompressor.decompress(frame) + b"\n")
