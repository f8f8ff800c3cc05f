/* libuv, as Swift sees it. Only SpliceUV imports this module. */
#ifndef SPLICE_CUV_SHIM_H
#define SPLICE_CUV_SHIM_H

#include <uv.h>

#if !defined(UV_VERSION_HEX) || UV_VERSION_HEX < ((1 << 16) | (44 << 8))
#error "Splice needs libuv 1.44 or newer (Debian 12: libuv1-dev)"
#endif

#endif
