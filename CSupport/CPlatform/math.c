/*
 * The one function of libm that Embedded Dictionary and Set need. With it, a daemon that computes nothing with
 * floating point does not keep a library for that in memory.
 */
#include "CPlatform.h"

#include <string.h>

double csplice_ceil(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (exponent >= 52) /* whole already, infinite or no number */
        return value;
    if (exponent < 0) {
        if (bits << 1 == 0)
            return value;
        return bits >> 63 ? -0.0 : 1.0;
    }
    uint64_t fraction = UINT64_C(0x000fffffffffffff) >> exponent;
    if ((bits & fraction) == 0)
        return value;
    if (bits >> 63 == 0)
        bits += fraction; /* may carry into the exponent, which is right */
    bits &= ~fraction;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Only for what is linked together with this file: other libraries of the process keep theirs. */
double ceil(double value) __attribute__((alias("csplice_ceil"), visibility("hidden")));
