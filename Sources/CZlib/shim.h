#pragma once
#include <zlib.h>

/// Prepares to unpack one gzip member, with its checksum and length: the macro behind it cannot be called from Swift.
static inline int cs_gunzip_start(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
