#include "catalog.h"

const unsigned char countersign_catalog_bytes[] = {
#embed "catalog.bin"
};
const unsigned long countersign_catalog_count = sizeof countersign_catalog_bytes;
