/* The command line as bytes. Embedded Swift has no CommandLine, and String would lose what is not UTF-8. */
#include "CPlatform.h"

#ifndef __GLIBC__
#error "Only glibc passes argc and argv to constructors; another C library needs /proc/self/cmdline here"
#endif

static int argument_count;
static char **arguments;

__attribute__((constructor)) static void remember_arguments(int argc, char **argv, char **environment)
{
    (void)environment;
    argument_count = argc;
    arguments = argv;
}

int csplice_argument_count(void)
{
    return argument_count;
}

const uint8_t *csplice_argument(int index)
{
    return index < 0 || index >= argument_count ? 0 : (const uint8_t *)arguments[index];
}
