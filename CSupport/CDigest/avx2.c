/* For x86-64 processors of 2013 and later. */
#ifdef __x86_64__

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

/* The library chooses its vectors when it is compiled; the attribute lets the compiler use them here only. */
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define XXH_VECTOR 2 /* XXH_AVX2 */
#define SPLICE_VECTORS avx2
#include "vectors.h"
#pragma clang attribute pop

#endif
