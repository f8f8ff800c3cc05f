/* For x86-64 processors with AVX-512: most servers since 2017. */
#ifdef __x86_64__

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

/* The library chooses its vectors when it is compiled; the attribute lets the compiler use them here only. */
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#define XXH_VECTOR 3 /* XXH_AVX512 */
#define SPLICE_VECTORS avx512
#include "vectors.h"
#pragma clang attribute pop

#endif
