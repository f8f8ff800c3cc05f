#include "CPlatform.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Embedded Swift loses the messages of fatalError: they go to a buffered stdout, and the process
 * dies by an illegal instruction. This says what was wrong, where, and leaves a core by SIGABRT. */
void csplice_panic(const char *message, size_t message_count, const char *file, size_t file_count, uint32_t line)
{
    char text[512];
    int count = snprintf(text, sizeof text, "<2>splice: internal error: %.*s (%.*s:%u)\n", (int)message_count,
                         message, (int)file_count, file, (unsigned)line);
    if (count > 0) {
        size_t size = (size_t)count < sizeof text ? (size_t)count : sizeof text - 1;
        ssize_t ignored = write(STDERR_FILENO, text, size);
        (void)ignored;
    }
    abort();
}
