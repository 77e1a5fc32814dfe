"""How the catalog's strings are spelled: as codes of one byte, each for up to 15 characters.

The names of AWS are made of the same words over and over. A table of 256 symbols, every character that occurs and the
runs that spare the most, halves them, and a reader still takes any string where it lies: a code is a row of the table.

The table is trained as FSST does (Boncz, Neumann, Leis: "FSST: Fast Random Access String Compression", VLDB 2020): spell
a sample with the table there is, then keep what spared the most among its symbols and the pairs of neighbors.
"""
import zlib
from collections import Counter

SYMBOL_COUNT = 256
SYMBOL_SIZE_MAX = 15
ROUNDS = 10
# One string in so many is trained on, chosen by its own content: one more string changes the sample by at most one.
SAMPLE = 5


class Speller:
    def __init__(self, texts):
        characters = sorted({character for text in texts for character in text})
        if not characters or max(characters) > "~" or len(characters) > SYMBOL_COUNT:
            raise ValueError("the strings of the catalog are ASCII")
        sample = sorted(text for text in texts if zlib.crc32(text.encode()) % SAMPLE == 0)
        self.take(characters)
        for _ in range(ROUNDS):
            spared = Counter()
            for text in sample:
                spelled = self.symbols(text)
                spared.update({symbol: 0 for symbol in spelled})
                for symbol in spelled:
                    spared[symbol] += len(symbol) - 1
                for pair in zip(spelled, spelled[1:]):
                    run = "".join(pair)
                    if len(run) <= SYMBOL_SIZE_MAX:
                        spared[run] += len(run) - 1
            runs = [symbol for symbol in spared if len(symbol) > 1]
            runs.sort(key=lambda run: (-spared[run], run))
            self.take(characters + runs[:SYMBOL_COUNT - len(characters)])

    def take(self, table):
        self.table = table
        self.numbers = {symbol: number for number, symbol in enumerate(table)}
        self.longest = max(map(len, table))

    def symbols(self, text):
        """The text as symbols, the longest that fits first."""
        found, at = [], 0
        while at < len(text):
            for size in range(self.longest, 0, -1):
                symbol = text[at:at + size]
                if symbol in self.numbers:
                    break
            found.append(symbol)
            at += len(symbol)
        return found

    def codes(self, text):
        return bytes(self.numbers[symbol] for symbol in self.symbols(text))

    def rows(self):
        """A row for each code: its characters, then how many they are; what is left over stands for `?`."""
        table = self.table + ["?"] * (SYMBOL_COUNT - len(self.table))
        return [symbol.encode().ljust(SYMBOL_SIZE_MAX, b"\0") + bytes([len(symbol)]) for symbol in table]
