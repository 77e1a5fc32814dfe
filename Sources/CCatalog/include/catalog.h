#pragma once
/// The generated catalog (scripts/catalog), byte for byte.
extern const unsigned char countersign_catalog_bytes[];
extern const unsigned long countersign_catalog_count;
static inline const unsigned char *countersign_catalog_start(void) { return countersign_catalog_bytes; }
