/* libxxhash, as Swift sees it. Only SpliceCore imports this module. */
#ifndef SPLICE_CXXHASH_SHIM_H
#define SPLICE_CXXHASH_SHIM_H

#include <xxhash.h>

#if XXH_VERSION_NUMBER < 800
#error "Splice needs libxxhash 0.8.0 or newer, the first with a stable XXH3 (Debian 12: libxxhash-dev)"
#endif

#endif
