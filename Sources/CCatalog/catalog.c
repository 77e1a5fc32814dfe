#include "catalog.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// Aligned, so that records of 32-bit numbers start where the machine likes it.
_Alignas(64) const unsigned char countersign_catalog_bytes[] = {
#embed "catalog.bin"
};
const unsigned long countersign_catalog_count = sizeof countersign_catalog_bytes;
