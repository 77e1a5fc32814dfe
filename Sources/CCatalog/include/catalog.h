#pragma once
/// The generated catalog (scripts/catalog), byte for byte; its layout is in scripts/catalog.d/binary.py.
extern const unsigned char countersign_catalog_bytes[];
/// How many bytes it has.
extern const unsigned long countersign_catalog_count;
/// Where it starts; never null, valid for as long as the process runs.
static inline const unsigned char *_Nonnull countersign_catalog_start(void) { return countersign_catalog_bytes; }
